"""Services beside the site, as the folder `examples` has them: processes that take its tokens over real sockets."""
