"""A W&B server on loopback: it answers what W&B asks to log, resume, sync and sweep, and remembers what it is told."""

import gzip
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

ENTITY = "somebody"
TOLD = {
    "project": "project", "entity": "entity", "displayName": "display_name", "groupName": "group",
    "jobType": "job_type", "sweep": "sweep", "tags": "tags",
}  # fmt: skip
"""What a run says of itself, and the attribute that keeps it."""


@dataclass
class Run:
    """What the server was told of a run."""

    project: str | None = None
    entity: str | None = None
    display_name: str | None = None
    group: str | None = None
    job_type: str | None = None
    sweep: str | None = None
    tags: list[str] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    console: list[str] = field(default_factory=list)
    files: set[str] = field(default_factory=set)
    exit_code: int | None = None  # none while it runs


@dataclass
class Artifact:
    """What the server was told of an artifact; `files` are those that arrived, by name in the artifact."""

    type: str
    run: str
    files: dict[str, bytes] = field(default_factory=dict)
    is_committed: bool = False


class Handler(BaseHTTPRequestHandler):
    """One request; its connection is closed afterwards."""

    def do_POST(self) -> None:
        content = self.content()
        with self.server.lock:
            text = json.dumps(self.server.receive(self.path, content)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_PUT = do_POST

    def content(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            chunks = iter(
                lambda: self.rfile.read(int(self.rfile.readline(), 16) + 2)[:-2], b""
            )  # each ends in a newline
            content = b"".join(chunks)
        else:
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        return gzip.decompress(content) if self.headers.get("Content-Encoding") == "gzip" else content

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class WandbServer(ThreadingHTTPServer):
    """Serves while entered.

    Has `runs` and sweep files by id, `artifacts` by name, and `commands` for the next agent that asks.
    """

    def __init__(self, home: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.runs: dict[str, Run] = {}
        self.artifacts: dict[str, Artifact] = {}
        self.sweeps: dict[str, str] = {}
        self.commands: list[dict[str, Any]] = []
        self.lock = threading.Lock()
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.environment = {"WANDB_BASE_URL": self.url, "WANDB_API_KEY": "0" * 40, "HOME": str(home)}
        self.environment |= dict.fromkeys(("no_proxy", "NO_PROXY"), "127.0.0.1")

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def receive(self, path: str, content: bytes) -> dict[str, Any]:
        """Take a request; telemetry is left unread."""
        if path == "/graphql":
            asked = json.loads(content)
            operation = re.search(r"(?:query|mutation)\s+(\w+)", asked["query"])[1]
            return {"data": self.answer(operation, asked.get("variables") or {})}
        if path.endswith("/file_stream"):
            self.stream(self.runs[path.split("/")[-2]], json.loads(content))
        elif path.startswith("/put/"):
            _, _, run, file = path.split("/", 3)
            self.runs[run].files.add(file)
        elif path.startswith("/artifact/"):
            _, _, artifact, file = path.split("/", 3)
            self.artifacts[artifact].files[file] = content
        return {}

    def answer(self, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        """The data of a GraphQL answer; none for what W&B can do without."""
        name = given.get("project") or given.get("projectName")
        project = {"id": "1", "name": name, "entity": {"id": "2", "name": given.get("entity") or ENTITY}}
        match operation:
            case "Viewer":
                viewer = {"id": "3", "entity": ENTITY, "username": ENTITY, "flags": "{}", "teams": {"edges": []}}
                return {"viewer": viewer}
            case "RunResumeStatus":
                return {"model": project | {"bucket": self.bucket(given["name"])}}
            case "UpsertBucket":
                inserted = given["name"] not in self.runs
                run = self.runs.setdefault(given["name"], Run())
                for theirs, ours in TOLD.items():
                    if given[theirs] is not None:
                        setattr(run, ours, given[theirs])
                run.config |= {key: entry["value"] for key, entry in json.loads(given["config"] or "{}").items()}
                bucket = self.bucket(given["name"]) | {"project": project, "sweepName": run.sweep}
                return {"upsertBucket": {"bucket": bucket, "inserted": inserted}}
            case "CreateRunFiles":
                files = [{"name": f, "uploadUrl": f"{self.url}/put/{given['run']}/{f}"} for f in given["files"]]
                return {"createRunFiles": {"runID": given["run"], "uploadHeaders": [], "files": files}}
            case "ArtifactType" | "FetchArtifactDigestAlgorithm":
                return {"project": None}
            case "CreateArtifact":
                asked = given["input"]
                name = asked["artifactCollectionName"]
                self.artifacts[name] = Artifact(asked["artifactTypeName"], asked["runName"])
                sequence = {"latestArtifact": None}
                return {"createArtifact": {"artifact": {"id": name, "state": "PENDING", "artifactSequence": sequence}}}
            case "CreateArtifactManifest":
                file = {"id": "5", "uploadUrl": f"{self.url}/manifest", "uploadHeaders": []}
                return {"createArtifactManifest": {"artifactManifest": {"id": given["artifactID"], "file": file}}}
            case "UpdateArtifactManifest":
                file = {"id": "5", "uploadUrl": f"{self.url}/manifest", "uploadHeaders": []}
                manifest = {"id": given["artifactManifestID"], "file": file}
                return {"updateArtifactManifest": {"artifactManifest": manifest}}
            case "CreateArtifactFiles":
                files = [(f["artifactID"], f["name"]) for f in given["input"]["artifactFiles"]]
                nodes = [
                    {
                        "storagePath": f"{artifact}/{name}",
                        "uploadUrl": f"{self.url}/artifact/{artifact}/{name}",
                        "uploadHeaders": [],
                        "uploadMultipartUrls": None,
                        "artifact": {"id": artifact},
                    }
                    for artifact, name in files
                ]
                return {"createArtifactFiles": {"files": {"edges": [{"node": node} for node in nodes]}}}
            case "CommitArtifact":
                self.artifacts[given["artifactID"]].is_committed = True
                return {"commitArtifact": {"artifact": {"id": given["artifactID"], "digest": ""}}}
            case "UpsertSweep":
                sweep = f"sweep{len(self.sweeps)}"
                self.sweeps[sweep] = given["config"]
                return {"upsertSweep": {"sweep": {"name": sweep, "project": project}, "configValidationWarnings": []}}
            case "SweepWithRuns":
                return {"project": {"sweep": {"config": self.sweeps[given["sweep"]], "runs": {"edges": []}}}}
            case "CreateAgent":
                return {"createAgent": {"agent": {"id": "4"}}}
            case "Heartbeat":
                commands, self.commands = self.commands, []
                return {"agentHeartbeat": {"agent": {"id": "4"}, "commands": json.dumps(commands)}}
        return {}

    def bucket(self, name: str) -> dict[str, Any] | None:
        """A run as W&B asks for it, with what it needs to go on with it."""
        if name not in self.runs:
            return None
        run = self.runs[name]
        config = json.dumps({key: {"value": value} for key, value in run.config.items()})
        counts = {"historyLineCount": len(run.history), "logLineCount": len(run.console), "eventsLineCount": 0}
        tails = {"historyTail": json.dumps([json.dumps(row) for row in run.history[-1:]]), "eventsTail": "[]"}
        begun = {"wandbConfig": json.dumps(run.config.get("_wandb", {})), "summaryMetrics": json.dumps(run.summary)}
        known = {"id": name, "name": name, "displayName": run.display_name, "config": config, "tags": run.tags}
        return known | begun | counts | tails

    def stream(self, run: Run, sent: dict[str, Any]) -> None:
        """Take a piece of a run's files. Its lines are numbered, because it may be sent twice."""
        for file, piece in sent.get("files", {}).items():
            lines, at = piece["content"], piece.get("offset", 0)
            if file == "wandb-history.jsonl":
                run.history[at : at + len(lines)] = map(json.loads, lines)
            elif file == "wandb-summary.json":
                run.summary |= json.loads(lines[-1])
            elif file == "output.log":
                run.console[at : at + len(lines)] = lines
        if sent.get("complete"):
            run.exit_code = sent["exitcode"]
