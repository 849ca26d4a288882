"""A server that speaks the part of Kubernetes' API that is used."""

import datetime
import json
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import yaml

KINDS = {
    "jobs": "Job",
    "secrets": "Secret",
    "configmaps": "ConfigMap",
    "rayclusters": "RayCluster",
    "pods": "Pod",
    "events": "Event",
}
PATH = re.compile(
    r"/(?:api|apis)/(?P<group>[\w./]+)/namespaces/(?P<namespace>[\w-]+)/"
    r"(?P<kind>\w+)(?:/(?P<name>[\w.-]+))?(?P<log>/log)?"
)
GROUPS = {"jobs": "batch/v1", "rayclusters": "ray.io/v1"}


def now():
    return datetime.datetime.now(datetime.UTC)


class Api:
    """The part of the API that is used, and what happens to a job's pod.

    ``life`` has the states of the job's pod, one for each time that pods are
    listed after the job has begun; with the last, the job ends as
    ``outcome`` says.
    """

    def __init__(self):
        self.objects = {}
        self.requests = []
        self.faults = []
        self.life = [{"phase": "Running"}, {"phase": "Succeeded"}]
        self.outcome = "Complete"
        self.log = ["one", "two", "three"]
        self.cuts = []  # bytes after which each connection to a log is lost
        self.ray_pods = []
        self.warnings = []
        self.linger = 0
        self.ends = lambda: None  # is called when the job ends
        self.seen = -1
        self.lock = threading.RLock()
        self.began = now()

    def fail(self, method, part, code, times=1, message="no"):
        """Answer so, a number of times."""
        self.faults += [(method, part, code, message)] * times

    def has(self, kind):
        return [name for found, name in self.objects if found == kind]

    def asked(self, method):
        return Counter(
            parts["kind"]
            for found, parts, _, _ in self.requests
            if found == method
        )

    def answer(self, method, parts, query, body):
        """Code and content of the answer to a request."""
        with self.lock:
            self.requests.append((method, parts, query, body))
            for fault in self.faults:
                verb, part, code, message = fault
                if verb == method and part in parts["kind"]:
                    self.faults.remove(fault)
                    return code, problem(code, message)
            kind = KINDS[parts["kind"]]
            assert parts["group"] == GROUPS.get(parts["kind"], "v1")
            if kind in ("Pod", "Event"):
                return 200, {"items": self.listed(kind, query)}
            return getattr(self, method.lower())(kind, parts["name"], body)

    def listed(self, kind, query):
        if kind == "Event":
            return [event(text) for text in self.warnings]
        key, value = query["labelSelector"][0].split("=")
        if key == "ray.io/cluster":
            return self.ray_pods.pop(0) if self.ray_pods else []
        assert key == "batch.kubernetes.io/job-name"
        job = self.objects[("Job", value)]
        if job["spec"]["suspend"]:
            return []
        self.seen = min(self.seen + 1, len(self.life) - 1)
        state = self.life[self.seen]
        if self.seen == len(self.life) - 1 and self.outcome:
            condition = {"type": self.outcome, "status": "True"}
            job["status"] = {"conditions": [condition]}
            self.ends()
        return [pod(job, **state)] if state else []

    def post(self, kind, _, body):
        name = body["metadata"]["name"]
        if (kind, name) in self.objects:
            return 409, problem(409, "already exists")
        body["metadata"]["uid"] = f"uid-{len(self.requests)}"
        self.objects[(kind, name)] = body
        return 201, body

    def get(self, kind, name, _):
        found = self.objects.get((kind, name))
        if found is None:
            return 404, problem(404, "not found")
        if "deletionTimestamp" in found["metadata"]:
            self.linger -= 1
            if self.linger < 0:
                self.drop(kind, name)
        return 200, found

    def patch(self, kind, name, body):
        self.objects[(kind, name)]["spec"] |= body["spec"]
        return 200, self.objects[(kind, name)]

    def delete(self, kind, name, body):
        if (kind, name) not in self.objects:
            return 404, problem(404, "not found")
        if kind == "Job" and self.linger:
            stamp = {"deletionTimestamp": "2026-01-01T00:00:00Z"}
            self.objects[(kind, name)]["metadata"] |= stamp
        else:
            self.drop(kind, name)
        return 200, {"kind": "Status", "status": "Success"}

    def drop(self, kind, name):
        """Remove an object and what it owns."""
        uid = self.objects.pop((kind, name))["metadata"]["uid"]
        for key, found in list(self.objects.items()):
            owners = found["metadata"].get("ownerReferences", [])
            if uid in [owner["uid"] for owner in owners]:
                del self.objects[key]


def problem(code, message):
    return {"kind": "Status", "code": code, "message": message}


def event(text):
    return {
        "metadata": {"name": "e", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "involvedObject": {},
        "message": text,
    }


def pod(job, phase="Running", name=None, state=None, **more):
    """A pod as the API shows it."""
    spec = job["spec"]["template"]["spec"]
    states = {
        "Pending": {"waiting": {"reason": "ContainerCreating"}},
        "Running": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
        "Succeeded": {"terminated": {"exitCode": 0, "reason": "Completed"}},
    }
    container = {
        "name": spec["containers"][0]["name"],
        "image": "x",
        "imageID": "x",
        "ready": phase == "Running",
        "restartCount": 0,
        "state": state or states.get(phase, {}),
    }
    statuses = [] if "conditions" in more else [container]
    return {
        "metadata": {
            "name": name or f"{job['metadata']['name']}-abcde",
            "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": spec,
        "status": {"phase": phase, "containerStatuses": statuses, **more},
    }


def ended(code, reason="Error", **more):
    """A pod that failed."""
    return {
        "phase": "Failed",
        "state": {"terminated": {"exitCode": code, "reason": reason, **more}},
    }


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    api: Api

    def handle_request(self):
        url = urlsplit(self.path)
        parts = PATH.fullmatch(url.path).groupdict()
        query = parse_qs(url.query)
        length = int(self.headers.get("Content-Length") or 0)
        text = self.rfile.read(length)
        body = json.loads(text) if text else None
        if parts["log"]:
            self.send_log(parts, query)
            return
        code, content = self.api.answer(self.command, parts, query, body)
        answer = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_PATCH = do_DELETE = handle_request  # noqa: N815

    def send_log(self, parts, query):
        with self.api.lock:
            self.api.requests.append(("LOG", parts, query, None))
        begin = self.api.began
        assert query["timestamps"] == ["True"]
        lines = [
            # two lines each at the same time
            ((begin + datetime.timedelta(seconds=n // 2)), text)
            for n, text in enumerate(self.api.log)
        ]
        if "sinceSeconds" in query:
            # the first lines are old by then; a minute more than is asked
            age = datetime.timedelta(
                seconds=60 + int(query["sinceSeconds"][0])
            )
            lines = [(t, s) for t, s in lines if t > now() - age]
        text = "".join(
            f"{t.isoformat().replace('+00:00', 'Z')} {s}\n" for t, s in lines
        ).encode()
        cut = self.api.cuts.pop(0) if self.api.cuts else None
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for chunk in re.findall(rb"(?s).{1,7}", text[:cut]):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        if cut is None:
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.close_connection = True

    def log_message(self, *args):
        pass


@contextmanager
def serve(kubeconfig: Path) -> Iterator[Api]:
    """A server, and the file by which clients find it."""
    api = Api()
    handler = type("Bound", (Handler,), {"api": api})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(
        target=server.serve_forever, args=(0.01,), daemon=True
    )
    thread.start()
    api.kubeconfig = kubeconfig
    address = f"http://127.0.0.1:{server.server_port}"
    context = {"cluster": "c", "user": "u", "namespace": "physics"}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{"name": "c", "cluster": {"server": address}}],
        "users": [{"name": "u", "user": {"token": "token-of-u"}}],
        "contexts": [{"name": "here", "context": context}],
    }
    kubeconfig.write_text(yaml.safe_dump(content))
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
