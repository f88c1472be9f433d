"""For frameworks that another project may use. Each module needs its framework, and nothing else imports it."""
