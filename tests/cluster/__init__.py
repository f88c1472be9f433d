"""Three servers behind nginx, with one PostgreSQL and one Redis: all real, all started here, all gone afterwards."""
