# SPDX-License-Identifier: Apache-2.0
"""A self-contained HTML page: text, tables, and pictures inside."""
from __future__ import annotations

import base64
import html
import io
from pathlib import Path

from torch import Tensor

from obai_ros.chart import png
from obai_ros.model.pixels import to_picture
from obai_ros.whole_file import whole_files

_STYLE = '''
body { font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem;
       color: #222; background: #fff; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; }
table { border-collapse: collapse; margin: 1rem 0; } th, td { padding: .3rem .9rem .3rem 0;
       text-align: left; border-bottom: 1px solid #ddd; font-variant-numeric: tabular-nums; }
img { max-width: 100%; image-rendering: pixelated; } img.curve { image-rendering: auto; }
figcaption { color: #555; font-size: .9rem; }
'''


class Page:
    """
    Collects parts in order and writes them as one file.

    folder: where the pictures are also written, one PNG each, when the page is.
    """

    def __init__(self, title: str, folder: Path):
        self.title, self.folder = title, folder
        self.parts: list[str] = []
        self.pictures: dict[str, bytes] = {}

    def heading(self, text: str) -> None:
        self.parts.append(f'<h2>{html.escape(text)}</h2>')

    def paragraph(self, text: str) -> None:
        self.parts.append(f'<p>{html.escape(text)}</p>')

    def table(self, head: list[str], rows: list[list[str]]) -> None:
        def line(cells, tag):
            inner = ''.join(f'<{tag}>{html.escape(cell)}</{tag}>' for cell in cells)
            return f'<tr>{inner}</tr>'

        body = ''.join(line(row, 'td') for row in rows)
        self.parts.append(f'<table>{line(head, "th")}{body}</table>')

    def picture(self, name: str, picture: Tensor, caption: str) -> None:
        """Add a picture [3, h, w] in [0, 1], also to be NAME.png."""
        from PIL import Image
        buffer = io.BytesIO()
        Image.fromarray(to_picture(picture)).save(buffer, 'PNG')
        self._image(name, buffer.getvalue(), caption, '')

    def curve(self, name: str, figure, caption: str) -> None:
        """Add a figure from `chart`, also to be NAME.png."""
        self._image(name, png(figure), caption, 'curve')

    def _image(self, name: str, content: bytes, caption: str, kind: str) -> None:
        self.pictures[f'{name}.png'] = content
        data = base64.b64encode(content).decode()
        self.parts.append(
            f'<figure><img class="{kind}" alt="{html.escape(caption)}" '
            f'src="data:image/png;base64,{data}"><figcaption>{html.escape(caption)}</figcaption>'
            f'</figure>')

    def write(self) -> Path:
        """Write report.html and the pictures, all or none; return the page's path."""
        title = html.escape(self.title)
        files = {**self.pictures, 'report.html': (
            f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
            f'<style>{_STYLE}</style></head><body><h1>{title}</h1>\n' + '\n'.join(self.parts)
            + '\n</body></html>\n').encode()}
        with whole_files(*(self.folder / name for name in files)) as streams:
            for stream, content in zip(streams, files.values()):
                stream.write(content)
        return self.folder / 'report.html'
