"""Runs a target under libFuzzer: ``python -m tests.fuzz bbolt -max_total_time=60``.

What is found stays in ``target/fuzz/python/<target>``: inputs that reach something new in
``corpus``, those that fail beside it. Needs the dependency group ``fuzz``.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import atheris

HERE = Path(__file__).parent
FOUND = HERE.parent.parent / "target/fuzz/python"
LIMITS = ("-timeout=10", "-rss_limit_mb=512", "-report_slow_units=5")
INSTRUMENTED = ["thinscope"]


def main(name: str, options: list[str]) -> None:
    """Fuzz a target with libFuzzer's options."""
    with atheris.instrument_imports(include=INSTRUMENTED):
        target = importlib.import_module(f"tests.fuzz.{name}")
    folder = FOUND / name
    corpus, given = folder / "corpus", folder / "seeds"
    for each in (corpus, given):
        each.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds()):
        (given / f"{number:03}").write_bytes(seed)
    words = folder / "words"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.WORDS))
    kept = HERE / "regressions" / name
    folders = [corpus, given, *([kept] if kept.exists() else [])]
    files = [option for option in options if not option.startswith("-")]
    arguments = [
        name,
        *LIMITS,
        f"-max_len={target.MOST}",
        f"-artifact_prefix={folder}/",
        f"-dict={words}",
        *options,
        *([] if files else map(str, folders)),
    ]
    atheris.Setup(arguments, target.trial, custom_mutator=_mutator(target))
    atheris.Fuzz()


def _mutator(target: Any) -> Any:
    """Return what mutates: one step of libFuzzer's, one of the target's own, or both."""

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        own = target.mutated(data, seed >> 3) if seed % 8 < 4 and data else None
        made = data if own is None else own[:most]
        if own is None or seed % 8 == 0:
            made = atheris.Mutate(made, most)
        # Sometimes checksums stay wrong.
        return made if seed % 16 == 15 else target.repaired(made)[:most]

    return mutate


def _escaped(word: bytes) -> str:
    return "".join(
        chr(byte) if 32 < byte < 127 and chr(byte) not in '\\"' else f"\\x{byte:02x}"
        for byte in word
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
