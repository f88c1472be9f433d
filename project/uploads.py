"""Refuse uploads."""

from django.core.files.uploadhandler import FileUploadHandler, StopUpload


class RefuseFilesHandler(FileUploadHandler):
    """Refuse files, since no form here has any. Django would store one of any size for anybody, before a view runs.

    Reading stops where the file begins: the fields before it are parsed, and the rest is never read.
    """

    def new_file(self, *args: object, **kwargs: object) -> None:
        """Stop reading."""
        raise StopUpload(connection_reset=True)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Do nothing: no data gets this far."""

    def file_complete(self, file_size: int) -> None:
        """Do nothing: no file gets this far."""
