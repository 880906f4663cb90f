"""The one error type that a person can act on."""


class UserError(Exception):
    """Something a person can mend: shown without a traceback.

    Parameters
    ----------
    message
        What is wrong, in one sentence.
    hint
        How to mend it, in one sentence; may be empty.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()
