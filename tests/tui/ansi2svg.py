#!/usr/bin/env python3
"""A terminal's picture as SVG: reads what `tmux capture-pane -e -p` prints, writes an SVG of the same cells.

usage: ansi2svg.py TITLE < capture > picture.svg
"""
import re
import sys
import unicodedata
from html import escape

W, H, SIZE, PAD, BAR = 8.43, 18, 14, 12, 26
FG, BG = "#d0d0d0", "#14181c"
BASE = ["#000000", "#cd3131", "#0dbc79", "#e5e510", "#2472c8", "#bc3fbc", "#11a8cd", "#e5e5e5",
        "#666666", "#f14c4c", "#23d18b", "#f5f543", "#3b8eea", "#d670d6", "#29b8db", "#ffffff"]


def indexed(n):
    if n < 16:
        return BASE[n]
    if n >= 232:
        return "#%02x%02x%02x" % ((8 + (n - 232) * 10,) * 3)
    n -= 16
    return "#%02x%02x%02x" % tuple(0 if v == 0 else 55 + v * 40 for v in (n // 36, n // 6 % 6, n % 6))


class Pen:
    def __init__(self):
        self.reset()

    def reset(self):
        self.fg = self.bg = None
        self.bold = self.dim = self.under = self.reverse = False

    def sgr(self, codes):
        codes = [int(c or 0) for c in codes]
        while codes:
            c = codes.pop(0)
            if c == 0:
                self.reset()
            elif c in (1, 2, 4, 7):
                setattr(self, {1: "bold", 2: "dim", 4: "under", 7: "reverse"}[c], True)
            elif c == 22:
                self.bold = self.dim = False
            elif c == 24:
                self.under = False
            elif c == 27:
                self.reverse = False
            elif c in (38, 48) and codes:
                kind = codes.pop(0)
                value = indexed(codes.pop(0)) if kind == 5 else "#%02x%02x%02x" % tuple(codes.pop(0) for _ in range(3))
                setattr(self, "fg" if c == 38 else "bg", value)
            elif c == 39:
                self.fg = None
            elif c == 49:
                self.bg = None
            elif 30 <= c <= 37 or 90 <= c <= 97:
                self.fg = BASE[c - 30 if c < 90 else c - 82]
            elif 40 <= c <= 47 or 100 <= c <= 107:
                self.bg = BASE[c - 40 if c < 100 else c - 92]

    def look(self):
        fg, bg = self.fg or FG, self.bg
        if self.reverse:
            fg, bg = bg or BG, self.fg or FG
        return fg, bg, self.bold, self.dim, self.under


def cells(line, pen):
    """(column, text, look) runs of one line, and its width."""
    runs, col = [], 0
    for part in re.split(r"(\x1b\[[0-9;:]*m)", line):
        if part.startswith("\x1b["):
            pen.sgr(re.split("[;:]", part[2:-1]))
            continue
        for ch in re.sub(r"\x1b.", "", part):
            if unicodedata.combining(ch) and runs:
                runs[-1][1] += ch
                continue
            wide = 2 if unicodedata.east_asian_width(ch) in "WF" else 1
            look = pen.look()
            if runs and runs[-1][2] == look and runs[-1][3] == col and wide == 1 and ord(ch) < 0x2500:
                runs[-1][1] += ch
                runs[-1][3] += 1
            else:
                runs.append([col, ch, look, col + wide])
            col += wide
    return runs, col


def main():
    pen, rows = Pen(), []
    lines = sys.stdin.read().split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    for line in lines:
        rows.append(cells(line, pen))
    cols = max([w for _, w in rows] + [80])
    width, height = cols * W + 2 * PAD, len(rows) * H + BAR + 2 * PAD
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d">' % ((width, height) * 2),
           '<rect width="100%%" height="100%%" rx="8" fill="%s"/>' % BG,
           '<text x="%d" y="18" fill="#808890" font-family="DejaVu Sans, sans-serif" font-size="12">%s</text>' % (PAD, escape(sys.argv[1])),
           '<g font-family="DejaVu Sans Mono, monospace" font-size="%d" xml:space="preserve">' % SIZE]
    for y, (runs, _) in enumerate(rows):
        top = BAR + PAD + y * H
        for col, text, (fg, bg, bold, dim, under), end in runs:
            x, w = PAD + col * W, (end - col) * W
            if bg:
                out.append('<rect x="%.2f" y="%d" width="%.2f" height="%d" fill="%s"/>' % (x, top, w + 0.3, H, bg))
            if text.strip():
                extra = (' font-weight="bold"' if bold else "") + (' opacity="0.6"' if dim else "") + (' text-decoration="underline"' if under else "")
                out.append('<text x="%.2f" y="%d" fill="%s" textLength="%.2f" lengthAdjust="spacingAndGlyphs"%s>%s</text>' % (
                    x, top + 14, fg, w, extra, escape(text)))
    out.append("</g></svg>")
    print("\n".join(out))


main()
