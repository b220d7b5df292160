"""Where mails go, out of one address."""

import pytest

from pm_project.mail import mail_settings


@pytest.mark.parametrize(
    ("url", "host", "port", "ssl", "tls"),
    [
        (None, "localhost", 25, False, False),
        ("smtp://mail.example.org:2525", "mail.example.org", 2525, False, False),
        ("smtps://mail.example.org", "mail.example.org", 465, True, False),
        ("smtp+starttls://mail.example.org", "mail.example.org", 587, False, True),
    ],
)
def test_address_of_a_mail_server(
    url: str | None, host: str, port: int, ssl: bool, tls: bool
) -> None:
    """The scheme says how, and which port is the usual one."""
    found = mail_settings(url)
    assert (found["EMAIL_HOST"], found["EMAIL_PORT"]) == (host, port)
    assert (found["EMAIL_USE_SSL"], found["EMAIL_USE_TLS"]) == (ssl, tls)


def test_user_and_password_may_hold_anything() -> None:
    """As in every address: what would end a part of it is quoted."""
    found = mail_settings("smtp://ada%40example.org:p%3Aw%2F@mail.example.org")
    assert found["EMAIL_HOST_USER"] == "ada@example.org"
    assert found["EMAIL_HOST_PASSWORD"] == "p:w/"


def test_mails_into_the_log() -> None:
    """For whoever tries it out."""
    assert "console" in mail_settings("console:")["EMAIL_BACKEND"]
