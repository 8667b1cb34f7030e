"""Write text with a language model.

The prompt and what follows it go to stdout. With --candidates the most probable completions are listed with their
probabilities.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from saiki.cli._console import Console, writable


def command(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Folder of a trained language model.")],
    prompt: Annotated[str, typer.Option(help="Text to go on from.")] = "",
    length: Annotated[int | None, typer.Option(help="Units to write at most [500; with --candidates 20].")] = None,
    temperature: Annotated[
        float, typer.Option(help="Below 1 more probable, above 1 bolder, 0 the most probable.")
    ] = 1.0,
    top_k: Annotated[int | None, typer.Option(help="Draw from so many units, the most probable.")] = None,
    top_p: Annotated[float | None, typer.Option(help="Draw from the fewest units with this share together.")] = None,
    typical: Annotated[float | None, typer.Option(help="The same of units of usual surprise.")] = None,
    repetition_penalty: Annotated[float, typer.Option(help="Divides the odds of units among the last 64.")] = 1.0,
    stop: Annotated[list[str] | None, typer.Option(metavar="TEXT…", help="Text at which writing stops.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of what is drawn.")] = 0,
    beam: Annotated[
        int | None, typer.Option(help="Search the most probable text, following so many; 1 is greedy.")
    ] = None,
    block: Annotated[int, typer.Option(help="With --beam or --candidates: no group of so many units comes twice.")] = 0,
    candidates: Annotated[int | None, typer.Option(help="List so many completions with their probabilities.")] = None,
    against: Annotated[
        Path | None, typer.Option(help="Training text: say which share of what was written stands in it.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File to write the text to [stdout].")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    from saiki.errors import OptionError

    writable(out, force, against)
    if against and candidates:
        raise OptionError("--against judges one text; leave out --candidates")
    import saiki

    trained = saiki.load(model)
    given: dict[str, Any] = {
        "length": length if length is not None else 20 if candidates else 500, "temperature": temperature, "top_k": top_k,
        "top_p": top_p, "typical": typical, "repetition_penalty": repetition_penalty, "stop": tuple(stop or ()), "seed": seed,
        "beam": beam, "block": block, "candidates": candidates,
    }  # fmt: skip
    found = trained.generate(prompt=prompt, **given)
    facts: dict[str, Any] = {"prompt": prompt, **given}
    if candidates:
        facts["candidates"] = [{"text": text, "probability": p} for text, p in found]
        lines = [f"{p:10.3g}  {prompt + text!r}" for text, p in found]
    else:
        facts |= {"text": found} | ({"memorised": _memorised(trained.task, found, against)} if against else {})
        lines = [prompt + found]
    console = Console(quiet, json)
    if "memorised" in facts:
        shares = ", ".join(f"{share:.1%} of {n}" for n, share in facts["memorised"].items() if share == share)
        console.say(f"in {against}, word for word: {shares} units in a row")
    if out:
        from saiki.storage import replacing_file

        with replacing_file(out, UnicodeError) as beside:
            beside.write_text("\n".join(lines), encoding="utf-8")
        console.answer([f"{out}: {sum(map(len, lines)):,} characters"], facts)
    else:
        Console(as_json=json).answer(lines, facts)


def _memorised(task: Any, text: str, path: Path) -> dict[str, float]:
    """The share of groups of n units that stand in a text, by n."""
    from saiki.metrics import memorised

    sizes = (10, 20, 50) if task.codec.units == "characters" else (3, 5, 8)
    training = task.read(path).values
    return {str(n): memorised.score(task.codec.encode(text), training, n) for n in sizes}
