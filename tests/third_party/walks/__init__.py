"""What people do in those projects. Each is taken in a process of its own, with settings of its own."""
