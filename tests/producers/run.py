"""Runs producers of traces against fake models and records what they send, or has them send it to a server.

    python run.py [--all | PRODUCER ...] [--venvs DIR] [--protobuf]
    python run.py [--all | PRODUCER ...] [--venvs DIR] --serve BINARY [--grpc] [--databases DIR]

For each producer `requirements/PRODUCER.txt` (or `.json` for npm) is installed into an environment of its own
outside the repository, `drivers/PRODUCER.py` (or `.mjs`) is run in it, and what arrives at the receiver is written to
`recorded/PRODUCER.jsonl` (exports that are not OTLP to `recorded/PRODUCER.native.jsonl`). A driver reaches two
addresses, the fake models and the receiver, both on 127.0.0.1; everything else it might ask for goes to a proxy that
is not there.

With `--serve` nothing is recorded: BINARY, a `tracehouse`, serves a database of its own for each producer in the
receiver's place, and what is filled in it is compared with what `filled.txt` says of the import of the recording.
`--grpc` has all that can send by OTLP/gRPC do so.

Needs Python 3.11 with `venv`; uses `uv` where it is installed, since it is faster.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import fake_models

HERE = Path(__file__).resolve().parent
RECEIVER_NEEDS = ["opentelemetry-proto"]
DRIVER_SECONDS_MAX = 240

# Paths of exports that are not OTLP and are kept all the same: OpenAI Agents.
NATIVE_PATHS = ("/traces/ingest",)

# Frameworks that report on their own use are asked not to.
QUIET = {
    "DO_NOT_TRACK": "1",
    "ANONYMIZED_TELEMETRY": "false",
    "AGNO_TELEMETRY": "false",
    "CREWAI_DISABLE_TELEMETRY": "true",
    "CREWAI_TRACING_ENABLED": "false",
    "HAYSTACK_TELEMETRY_ENABLED": "False",
    "HF_HUB_OFFLINE": "1",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "NEXT_TELEMETRY_DISABLED": "1",
    "TRACELOOP_TELEMETRY": "false",
}


def command(name):
    return shutil.which(name)


def producers():
    return sorted(
        path.stem for path in (HERE / "drivers").iterdir() if path.suffix in (".py", ".mjs") and path.stem[0] != "_"
    )


def environment(requirements, venvs):
    """The folder of an environment with these requirements, made when it is not there yet; equal ones are shared."""
    text = requirements.read_text()
    folder = venvs / hashlib.sha256(text.encode()).hexdigest()[:12]
    if (folder / "done").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    if requirements.suffix == ".json":
        folder.mkdir(parents=True)
        shutil.copy(requirements, folder / "package.json")
        run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder)
    else:
        install(folder, ["-r", str(requirements)])
    (folder / "done").touch()
    return folder


def install(folder, packages):
    made = ["uv", "venv", "--quiet", "--python", sys.executable] if command("uv") else [sys.executable, "-m", "venv"]
    run([*made, str(folder)])
    install_into(folder, packages)


def install_into(folder, packages):
    python = str(folder / "bin" / "python")
    installer = ["uv", "pip", "install", "--python"] if command("uv") else [python, "-m", "pip", "install"]
    run([*installer, *([python] if command("uv") else []), "--quiet", *packages])


def run(arguments, **options):
    subprocess.run(arguments, check=True, timeout=1500, **options)


def driver_environment(name, folder, models, receiver, grpc, scratch):
    kept = {key: os.environ[key] for key in ("PATH", "LANG", "SSL_CERT_FILE") if key in os.environ}
    nowhere = "http://127.0.0.1:9"
    return {
        **kept,
        **QUIET,
        "HOME": scratch,
        "TMPDIR": scratch,
        "FAKE_MODELS": models,
        "RECEIVER": receiver,
        "RECEIVER_GRPC": grpc,
        "PYTHONPATH": str(HERE / "drivers"),
        "NODE_PATH": str(folder / "node_modules"),
        "OTEL_EXPORTER_OTLP_ENDPOINT": grpc or receiver,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc" if grpc else "http/protobuf",
        "OTEL_SERVICE_NAME": name,
        "OPENAI_API_KEY": "fake",
        "OPENAI_BASE_URL": f"{models}/v1",
        "OPENAI_API_BASE": f"{models}/v1",
        "ANTHROPIC_API_KEY": "fake",
        "ANTHROPIC_BASE_URL": models,
        "GOOGLE_API_KEY": "fake",
        "GOOGLE_GEMINI_BASE_URL": models,
        "AWS_ACCESS_KEY_ID": "fake",
        "AWS_SECRET_ACCESS_KEY": "fake",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": models,
        "HTTP_PROXY": nowhere,
        "HTTPS_PROXY": nowhere,
        "NO_PROXY": "127.0.0.1,localhost",
        "http_proxy": nowhere,
        "https_proxy": nowhere,
        "no_proxy": "127.0.0.1,localhost",
    }


def drive(name, folder, receiver, grpc=""):
    """Runs a producer's driver in its environment until it ends; returns its exit code."""
    script = next(path for path in (HERE / "drivers").glob(f"{name}.*"))
    models = fake_models.start()
    with tempfile.TemporaryDirectory() as scratch:
        address = f"http://127.0.0.1:{models.server_address[1]}"
        variables = driver_environment(name, folder, address, receiver, grpc, scratch)
        program = [str(folder / "bin" / "python")]
        if script.suffix == ".mjs":
            # A module finds its packages beside itself, so the driver runs from the environment.
            shutil.copytree(HERE / "drivers", folder / "drivers", dirs_exist_ok=True)
            script, program = folder / "drivers" / script.name, ["node"]
        ended = subprocess.run([*program, str(script)], env=variables, cwd=scratch, stdout=sys.stderr, timeout=DRIVER_SECONDS_MAX)
    models.shutdown()
    return ended.returncode


def record(name, folder, is_protobuf_kept):
    """Records what one producer sends; returns whether it sent anything and ended well."""
    import receiver

    sink = receiver.start()
    exit_code = drive(name, folder, f"http://127.0.0.1:{sink.server_address[1]}")
    sink.shutdown()
    lines = sink.recording.lines
    if lines:
        (HERE / "recorded" / f"{name}.jsonl").write_text("".join(line + "\n" for line in lines))
        if is_protobuf_kept:
            (HERE / "recorded" / f"{name}.pb").write_bytes(b"".join(sink.recording.messages))
    native = [json.dumps(body, ensure_ascii=False) for path, body in sink.others if path.endswith(NATIVE_PATHS)]
    if native:
        (HERE / "recorded" / f"{name}.native.jsonl").write_text("".join(line + "\n" for line in native))
    others = sorted({path for path, _ in sink.others})
    print(
        f"{name}: exit {exit_code}, {len(lines)} messages, {sum(map(len, lines))} bytes, other paths {others}",
        flush=True,
    )
    return exit_code == 0 and bool(lines or native)


def serve(name, folder, binary, databases, is_grpc):
    """Has one producer send to a server; returns whether its database has what an import of the recording has."""
    import served

    if not (HERE / "recorded" / f"{name}.jsonl").exists():
        print(f"{name}: left out, there is no recording of OTLP to compare with", flush=True)
        return True
    database = databases / f"{name}.traces"
    shutil.rmtree(database, ignore_errors=True)
    if is_grpc and not (folder / "package.json").exists():
        use_grpc_exporter(folder)
    server = served.Server(binary, database)
    try:
        exit_code = drive(name, folder, server.http, server.grpc if is_grpc else "")
    finally:
        server_exit_code = server.stop()
    requests = server.requests()
    is_taken = any(request.endswith((" 200", " Ok")) for request in requests)
    requests = ", ".join(f"{count} {request}" for request, count in sorted(requests.items()))
    found = served.differences(served.filled(binary, database), served.filled_by_import(name))
    print(f"{name}: exit {exit_code}, server {server_exit_code}, {len(found)} differences; {requests}", flush=True)
    print("".join(f"    {each}\n" for each in found), end="", flush=True)
    return exit_code == 0 and server_exit_code == 0 and is_taken and not found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("producers", nargs="*")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--venvs", type=Path, default=Path(tempfile.gettempdir()) / "producers" / "venvs")
    parser.add_argument("--protobuf", action="store_true", help="also write recorded/PRODUCER.pb")
    parser.add_argument("--serve", metavar="BINARY", help="send to `BINARY serve`, and record nothing")
    parser.add_argument("--grpc", action="store_true", help="with --serve: by OTLP/gRPC where the producer can")
    parser.add_argument("--databases", type=Path, default=Path(tempfile.gettempdir()) / "producers" / "served")
    options = parser.parse_args()
    if (options.protobuf and options.serve) or (options.grpc and not options.serve):
        parser.error("--protobuf is for recording, --grpc for --serve")
    binary = options.serve and command(options.serve)
    if options.serve and not binary:
        parser.error(f"there is no program {options.serve}")
    use_receiver_packages(options.venvs)
    if options.serve:
        options.databases.mkdir(parents=True, exist_ok=True)

    def is_good(name):
        folder = environment(next((HERE / "requirements").glob(f"{name}.*")), options.venvs)
        if options.serve:
            return serve(name, folder, Path(binary).absolute(), options.databases, options.grpc)
        return record(name, folder, options.protobuf)

    failed = [name for name in (producers() if options.all else options.producers) if not is_good(name)]
    sys.exit(f"failed: {' '.join(failed)}" if failed else 0)


def use_grpc_exporter(folder):
    """The SDK's exporter by gRPC, which few producers require, of the version that an environment's exporter has."""
    packages = next(folder.glob("lib/python*/site-packages"))
    known = [path.name for path in packages.glob("opentelemetry_exporter_otlp_proto_*.dist-info")]
    if known and not any("_grpc-" in name for name in known):
        version = known[0].removesuffix(".dist-info").rsplit("-", 1)[1]
        install_into(folder, [f"opentelemetry-exporter-otlp-proto-grpc=={version}"])


def use_receiver_packages(venvs):
    """The receiver's packages come from an environment too: this script needs nothing installed."""
    folder = venvs / "receiver"
    if not (folder / "done").exists():
        install(folder, RECEIVER_NEEDS)
        (folder / "done").touch()
    sys.path.append(str(next(folder.glob("lib/python*/site-packages"))))


if __name__ == "__main__":
    main()
