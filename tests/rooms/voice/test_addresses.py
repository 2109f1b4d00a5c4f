"""Which addresses carry voice, under which settings, on which machine."""

from __future__ import annotations

import ipaddress

import pytest

from rooms.voice.addresses import BadAddress, Listening, choose_listening, machine_addresses

CLOUD = ["127.0.0.1", "::1", "10.0.0.4", "172.17.0.1", "8.8.4.4", "2001:4860::1"]
OFFICE = ["127.0.0.1", "::1", "192.168.1.5", "fd00::5"]


def choose(machine: list[str], site_url: str = "https://anteroom.example", **settings: object) -> Listening:
    given = {"addresses": [], "host": "", "ports": ""} | settings
    return choose_listening(site_url=site_url, machine=machine, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("machine", "site_url", "addresses"),
    [
        (CLOUD, "https://anteroom.example", ("8.8.4.4", "2001:4860::1")),
        (OFFICE, "https://anteroom.example", ("192.168.1.5", "fd00::5")),
        (OFFICE, "http://localhost:8000", ("127.0.0.1", "192.168.1.5")),
        (OFFICE, "http://127.0.0.1:8000", ("127.0.0.1", "192.168.1.5")),
        (OFFICE, "http://[::1]:8000", ("127.0.0.1", "192.168.1.5")),
        (["127.0.0.1"], "https://anteroom.example", ("127.0.0.1",)),
    ],
)
def test_without_settings(machine: list[str], site_url: str, addresses: tuple[str, ...]) -> None:
    assert choose(machine, site_url) == Listening(addresses)


def test_settings_decide() -> None:
    chosen = choose(CLOUD, addresses=["10.0.0.4"], host="203.0.113.9", ports="50000-50499")
    assert chosen == Listening(("10.0.0.4",), "203.0.113.9", range(50_000, 50_500))
    assert choose(CLOUD, ports="50000").ports == range(50_000, 50_001)


def test_behind_a_nat_only_addresses_of_its_kind_listen() -> None:
    container = ["127.0.0.1", "172.18.0.3", "fd00::3"]
    assert choose(container, host="203.0.113.9").addresses == ("172.18.0.3",)
    assert choose(container, host="2001:db8::9").addresses == ("fd00::3",)
    assert choose(container, addresses=["0.0.0.0"], host="203.0.113.9").addresses == ("0.0.0.0",)


@pytest.mark.parametrize(
    "settings",
    [
        {"addresses": ["0.0.0.0"]},
        {"host": "voice.example"},
        {"addresses": ["eth0"]},
        {"ports": "many"},
        {"ports": "50010-50000"},
        {"ports": "0-70000"},
    ],
)
def test_a_setting_that_makes_no_sense_is_named(settings: dict[str, object]) -> None:
    with pytest.raises(BadAddress):
        choose(CLOUD, **settings)


def test_this_machine_has_addresses() -> None:
    found = machine_addresses()
    assert "127.0.0.1" in found
    assert not any(ipaddress.ip_address(each).is_link_local for each in found)
