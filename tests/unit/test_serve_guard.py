"""Who may come in: host, key, content type, size; and how a refusal looks."""

import http.client
import json

import httpx2
import pytest
from serving import SCENE, Chunked, server

from her.errors import ConfigError
from her.serve import ServeSettings

KEY = "correct-horse-battery-staple"
BODY = {"messages": [{"role": "user", "content": "Hello."}]}
CHAT = "/v1/chat/completions"


def raw(url: str, *, hosts: list[str], path: str = "/v1/models") -> int:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=5)
    connection.putrequest("GET", path, skip_host=True)
    for host in hosts:
        connection.putheader("Host", host)
    connection.endheaders()
    status = connection.getresponse().status
    connection.close()
    return status


def test_only_the_loopback_names_are_hosts() -> None:
    with server(Chunked(["Hi."])) as url:
        port = url.rsplit(":", 1)[1]
        for good in (f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}", f"LOCALHOST:{port}"):
            assert raw(url, hosts=[good]) == 200, good
        bad = ["evil.example", f"evil.example:{port}", f"127.0.0.1.nip.io:{port}", "localhost", f"localhost.:{port}"]
        bad += ["localhost:1", f"localhost:{port}/x", f"a@localhost:{port}", f"[::1%lo]:{port}", f"127.1:{port}", ""]
        for host in bad:
            for path in ("/v1/models", "/health"):
                assert raw(url, hosts=[host], path=path) in {400, 421}, host
        assert raw(url, hosts=[f"localhost:{port}", "evil.example"]) in {400, 421}
        assert raw(url, hosts=[]) in {400, 421}


def test_every_route_but_health_needs_the_key() -> None:
    with server(Chunked(["Mara: Hi."]), api_key=KEY) as url, httpx2.Client() as client:
        assert client.get(f"{url}/health").status_code == 200
        for path in ("/v1/models", CHAT, "/", "/docs", "/openapi.json", "//health", "/health/", "/%2e/health", "/v1"):
            for header in (None, "Bearer", "Bearer wrong", f"Basic {KEY}", f"Bearer {KEY}x", KEY, f"Bearer  x{KEY}"):
                headers = {} if header is None else {"Authorization": header}
                assert client.get(f"{url}{path}", headers=headers).status_code == 401, (path, header)
        refused = client.post(f"{url}{CHAT}", json=BODY, headers={"Authorization": "Bearer sk-mine"})
        assert refused.json()["error"]["code"] == "invalid_api_key"
        assert "sk-mine" not in refused.text
        assert KEY not in refused.text
        good = client.post(f"{url}{CHAT}", json=BODY, headers={"Authorization": f"bearer {KEY}"})
        assert good.json()["choices"][0]["message"]["content"] == "“Mara: Hi.”"


def test_a_web_page_elsewhere_gets_nothing() -> None:
    with server(Chunked(["Hi."])) as url:
        page = {"Origin": "https://evil.example"}
        plain = httpx2.post(f"{url}{CHAT}", content=json.dumps(BODY), headers={**page, "Content-Type": "text/plain"})
        assert plain.status_code == 415
        preflight = {**page, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
        asked = httpx2.options(f"{url}{CHAT}", headers=preflight)
        assert asked.status_code == 405
        assert not [h for h in asked.headers if h.startswith("access-control")]


def test_an_origin_can_be_allowed_by_name() -> None:
    with server(Chunked(["Hi."]), api_key=KEY, allowed_origins=("http://localhost:3000",)) as url:
        preflight = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "POST"}
        assert httpx2.options(f"{url}{CHAT}", headers=preflight).headers["access-control-allow-origin"]
        preflight["Origin"] = "http://localhost:3000.evil.example"
        assert "access-control-allow-origin" not in httpx2.options(f"{url}{CHAT}", headers=preflight).headers


def test_a_long_body_is_refused_before_it_is_held() -> None:
    model = Chunked(["Hi."])
    with server(model, max_body_bytes=1000) as url:
        json_type = {"Content-Type": "application/json"}
        long = json.dumps({"messages": [{"role": "user", "content": "x" * 1000}]}).encode()
        assert httpx2.post(f"{url}{CHAT}", content=long, headers=json_type).status_code == 413
        assert httpx2.post(f"{url}{CHAT}", content=iter([long[:600], long[600:]]), headers=json_type).status_code == 413
        assert not model.requests
        assert httpx2.post(f"{url}{CHAT}", json=BODY).status_code == 200


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ("{", None),
        ("[]", None),
        ("{}", "messages"),
        ('{"messages": []}', "messages"),
        ('{"messages": [{"role": "wizard", "content": "sk-secret"}]}', "messages.0.role"),
        ('{"messages": [{"role": "user", "content": {"sk-secret": 1}}]}', "messages.0.content"),
        ('{"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}', "messages.0.content"),
        ('{"messages": [{"role": "user", "content": "a"}], "n": 1000000000}', "n"),
        ('{"messages": [{"role": "user", "content": "a"}], "temperature": NaN}', "temperature"),
        ('{"messages": [{"role": "user", "content": "a"}], "max_tokens": -1}', "max_tokens"),
        ('{"messages": [{"role": "user", "content": "a"}], "stop": ["sk-secret", 3]}', "stop.1"),
        ('{"messages": [{"role": "user", "content": "a"}], "her": {"layers": ["sk-secret"]}}', "her.layers.0"),
        ('{"messages": [{"role": "user", "content": "a", "name": "Mara"}]}', None),
        ('{"messages": [{"role": "user", "content": "a", "name": "a: <b>"}]}', None),
        ("[" * 100_000, None),
    ],
)
def test_a_bad_request_says_where_and_repeats_nothing(body: str, param: str | None) -> None:
    model = Chunked(["Hi."])
    with server(model, scene=SCENE, character="Mara") as url:
        answer = httpx2.post(f"{url}{CHAT}", content=body, headers={"Content-Type": "application/json"})
    error = answer.json()["error"]
    assert answer.status_code == 400
    assert set(error) == {"message", "type", "param", "code"}
    assert error["param"] == param
    assert "sk-secret" not in answer.text
    assert not model.requests


def test_an_unknown_route_answers_in_the_same_shape() -> None:
    with server(Chunked(["Hi."])) as url:
        for method, path, status in (("GET", "/v1/nothing", 404), ("GET", CHAT, 405)):
            answer = httpx2.request(method, f"{url}{path}")
            assert (answer.status_code, answer.json()["error"]["code"]) == (status, "not_found")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.org", "10.0.0.1", ""])
def test_nothing_but_the_loopback_is_opened_without_a_key(host: str) -> None:
    with pytest.raises(ConfigError, match="without a key"):
        ServeSettings(host=host)
    with pytest.raises(ConfigError, match="too short"):
        ServeSettings(host=host, api_key="short")
    assert KEY not in repr(ServeSettings(host=host, api_key=KEY))


@pytest.mark.parametrize("origin", ["*", "null", "localhost", "file://"])
def test_no_wildcard_origin(origin: str) -> None:
    with pytest.raises(ConfigError):
        ServeSettings(allowed_origins=(origin,))
