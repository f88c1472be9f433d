from django.core.files.uploadhandler import FileUploadHandler, StopUpload


class RefuseFilesHandler(FileUploadHandler):
    """No form here has a file. Django would write one of any size to the disk, for anybody, before a view is asked.

    Reading ends where the file begins: what the form said up to there is read, and the rest never."""

    def new_file(self, *args: object, **kwargs: object) -> None:
        raise StopUpload(connection_reset=True)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Nothing comes as far as here."""

    def file_complete(self, file_size: int) -> None:
        """Nor here."""
