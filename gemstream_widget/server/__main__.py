"""`python -m gemstream_widget.server`: the local Gemini by itself, until Ctrl-C."""

from __future__ import annotations

import argparse
import threading

from .local import LocalGemini

_HOW = """\
Local Gemini at {url}

  from google import genai
  client = genai.Client(api_key="local", http_options={{"base_url": "{url}"}})
  for chunk in client.models.generate_content_stream(model="demo", contents="Why is the sky blue?"):
      print(chunk.text, end="")

Models: {models}
Ctrl-C ends it.
"""


def main(arguments: list[str] | None = None) -> None:
    """Run the server with command line arguments until it is interrupted."""
    parser = argparse.ArgumentParser(prog="python -m gemstream_widget.server", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one (default)")
    parser.add_argument("--streams", metavar="DIR", help="folder of .jsonl recordings to serve as models")
    parser.add_argument("--pace", type=float, metavar="S", help="seconds between chunks")
    parser.add_argument("--speed", type=float, default=1.0, help="divides every wait (default 1)")
    parser.add_argument("--no-rules", action="store_true", help="accept histories that Gemini would refuse")
    options = parser.parse_args(arguments)
    server = LocalGemini(options.streams, options.pace, not options.no_rules, options.speed, port=options.port)
    try:
        with server:
            print(_HOW.format(url=server.url, models=", ".join(server.models)), flush=True)
            threading.Event().wait()
    except KeyboardInterrupt:
        print("Closed.")


if __name__ == "__main__":
    main()
