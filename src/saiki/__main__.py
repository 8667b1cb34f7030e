"""Entry point of the program, also as `python -m saiki`: light, so that Ctrl-C is quiet from the very start."""

import sys


def main() -> None:
    """Run the command line; Ctrl-C while it is still being imported is one line too."""
    try:
        from saiki.cli import main as run
    except KeyboardInterrupt:
        print("saiki: interrupted", file=sys.stderr)
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
