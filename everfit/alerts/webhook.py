"""The alert channel that posts each notice as JSON to the address of ``EVERFIT_ALERT_WEBHOOK``."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from everfit.alerts.state import Notice
from everfit.errors import ServiceError
from everfit.timing import format_time

TIMEOUT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook; ``text`` of the document is what chat services show."""

    url: str = field(repr=False)

    @property
    def masked(self) -> str:
        """The address without what may be secret in its path."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname}/…"

    def send(self, notice: Notice) -> None:
        """Post the notice.

        Raises:
            ServiceError: when the webhook does not answer, or refuses it; the message hides the address.
        """
        import httpx

        try:
            answer = httpx.post(self.url, json=_document(notice), timeout=TIMEOUT_SECONDS)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:  # OSError: certificates that cannot be read
            raise ServiceError(f"the alert webhook {self.masked} does not answer: {type(error).__name__}") from error
        if not answer.is_success:
            raise ServiceError(f"the alert webhook {self.masked} refuses an alert with status {answer.status_code}")


def _document(notice: Notice) -> dict[str, str | int]:
    alert = notice.alert
    return {
        "text": notice.text,
        "state": notice.state,
        "model": alert.model,
        "cause": alert.cause,
        "message": alert.message,
        "since": format_time(alert.first_at),
        "sent_before": alert.count,
    }
