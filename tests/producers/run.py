"""Runs producers of traces against fake models and records what they send.

    python run.py [--all | PRODUCER ...] [--venvs DIR] [--protobuf]

For each producer `requirements/PRODUCER.txt` (or `.json` for npm) is installed into an environment of its own
outside the repository, `drivers/PRODUCER.py` (or `.mjs`) is run in it, and what arrives at the receiver is written to
`recorded/PRODUCER.jsonl` (exports that are not OTLP to `recorded/PRODUCER.native.jsonl`). A driver reaches two
addresses, the fake models and the receiver, both on 127.0.0.1; everything else it might ask for goes to a proxy that
is not there.

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
    python = str(folder / "bin" / "python")
    if command("uv"):
        run(["uv", "venv", "--quiet", "--python", sys.executable, str(folder)])
        run(["uv", "pip", "install", "--quiet", "--python", python, *packages])
    else:
        run([sys.executable, "-m", "venv", str(folder)])
        run([python, "-m", "pip", "install", "--quiet", *packages])


def run(arguments, **options):
    subprocess.run(arguments, check=True, timeout=1500, **options)


def driver_environment(name, folder, models, receiver, scratch):
    kept = {key: os.environ[key] for key in ("PATH", "LANG", "SSL_CERT_FILE") if key in os.environ}
    nowhere = "http://127.0.0.1:9"
    return {
        **kept,
        **QUIET,
        "HOME": scratch,
        "TMPDIR": scratch,
        "FAKE_MODELS": models,
        "RECEIVER": receiver,
        "PYTHONPATH": str(HERE / "drivers"),
        "NODE_PATH": str(folder / "node_modules"),
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
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


def record(name, venvs, is_protobuf_kept):
    """Runs one producer; returns whether it sent anything and ended well."""
    import receiver

    script = next(path for path in (HERE / "drivers").glob(f"{name}.*"))
    requirements = next((HERE / "requirements").glob(f"{name}.*"))
    folder = environment(requirements, venvs)
    models, sink = fake_models.start(), receiver.start()
    addresses = [f"http://127.0.0.1:{server.server_address[1]}" for server in (models, sink)]
    with tempfile.TemporaryDirectory() as scratch:
        variables = driver_environment(name, folder, *addresses, scratch)
        program = [str(folder / "bin" / "python")]
        if script.suffix == ".mjs":
            # A module finds its packages beside itself, so the driver runs from the environment.
            shutil.copytree(HERE / "drivers", folder / "drivers", dirs_exist_ok=True)
            script, program = folder / "drivers" / script.name, ["node"]
        ended = subprocess.run([*program, str(script)], env=variables, cwd=scratch, timeout=DRIVER_SECONDS_MAX)
    models.shutdown()
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
        f"{name}: exit {ended.returncode}, {len(lines)} messages, {sum(map(len, lines))} bytes, other paths {others}",
        flush=True,
    )
    return ended.returncode == 0 and bool(lines or native)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("producers", nargs="*")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--venvs", type=Path, default=Path(tempfile.gettempdir()) / "producers" / "venvs")
    parser.add_argument("--protobuf", action="store_true", help="also write recorded/PRODUCER.pb")
    options = parser.parse_args()
    use_receiver_packages(options.venvs)
    names = producers() if options.all else options.producers
    failed = [name for name in names if not record(name, options.venvs, options.protobuf)]
    sys.exit(f"failed: {' '.join(failed)}" if failed else 0)


def use_receiver_packages(venvs):
    """The receiver's packages come from an environment too: this script needs nothing installed."""
    folder = venvs / "receiver"
    if not (folder / "done").exists():
        install(folder, RECEIVER_NEEDS)
        (folder / "done").touch()
    sys.path.append(str(next(folder.glob("lib/python*/site-packages"))))


if __name__ == "__main__":
    main()
