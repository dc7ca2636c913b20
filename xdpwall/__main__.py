"""`python -m xdpwall` is the command line."""

from xdpwall.cli.main import main

if __name__ == "__main__":
    main()
