"""Makes docs/terminal.svg: what a terminal shows of a training and ten predictions. After script/build:

    python3 docs/terminal.py [BUILD_FOLDER]

Runs the commands in a terminal of its own in a scratch folder, and draws the screen as it is left at their end. Needs
nothing but Python. Blocks and dots are drawn as shapes, so the picture does not depend on the viewer's fonts.
"""
import fcntl
import os
import pty
import re
import struct
import sys
import tempfile
import termios
from xml.sax.saxutils import escape

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
COMMANDS = ("linnet train recipes/lenet5.yaml",
            "linnet predict runs/1/weights/last.safetensors mnist first=10 --show")
COLUMNS, CELL_W, CELL_H, MARGIN = 88, 8.0, 18.0, 14.0
COLOURS = {"": "#d6dae0", "1": "#ffffff", "2": "#8b93a0", "31": "#f0808a", "32": "#8fd18a"}


def run(command, folder, build):
    """All that command writes to a terminal."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.environ.update(PATH=build + os.pathsep + os.environ["PATH"], LINNET_DATA=os.path.join(ROOT, "data"),
                          LC_ALL="C.UTF-8", TERM="xterm-256color")
        os.execvp("sh", ["sh", "-c", f"sleep 0.2; {command}"])  # by then the terminal has its size
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    said = b""
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # the child has closed its end
            break
        if not piece:
            break
        said += piece
    if os.waitpid(child, 0)[1] != 0:
        sys.exit(f"docs/terminal.py: {command}: failed:\n{said.decode()}")
    return said.decode()


def screen(said):
    """The lines that are left, each a list of (character, style)."""
    lines, column, style = [[]], 0, ""
    for piece in re.findall(r"\x1b\[[0-9;]*[A-Za-z]|.|\n", said, re.S):
        line = lines[-1]
        if piece == "\n":
            lines.append([])
            column = 0
        elif piece == "\r":
            column = 0
        elif piece.endswith("K") and piece[0] == "\x1b":
            del line[column:]
        elif piece[0] == "\x1b":
            style = piece[2:-1].lstrip("0")
        else:
            line.extend([(" ", "")] * (column + 1 - len(line)))
            line[column] = (piece, style)
            column += 1
    return lines


def dots(character, x, y):
    """The path of a braille character: a point of length 0 for each dot."""
    bits = ord(character) - 0x2800
    places = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))
    return "".join(f"M{x + CELL_W * (0.25 + 0.5 * i):g} {y + CELL_H * (0.125 + 0.25 * j):g}h0"
                   for bit, (i, j) in enumerate(places) if bits >> bit & 1)


def draw_line(line, y):
    """SVG of one line whose upper edge is y."""
    out, path, i = [], "", 0
    while i < len(line):
        character, style = line[i]
        x = MARGIN + i * CELL_W
        if 0x2800 <= ord(character) <= 0x28FF:
            path += dots(character, x, y)
            i += 1
        elif character in "━─":
            out.append(f'<rect x="{x:g}" y="{y + 8:g}" width="{CELL_W:g}" height="2" fill="{COLOURS[style]}"/>')
            i += 1
        elif character == " ":
            i += 1
        else:  # a word; its length is given, so that columns meet in any font
            end = i
            while end < len(line) and line[end][1] == style and line[end][0] != " " and ord(line[end][0]) < 0x2500:
                end += 1
            word = "".join(c for c, _ in line[i:end])
            weight = ' font-weight="bold"' if style == "1" else ""
            length = f' textLength="{len(word) * CELL_W:g}"' if len(word) > 1 else ""
            out.append(f'<text x="{x:g}" y="{y + 13:g}" fill="{COLOURS[style]}"{weight}{length}>{escape(word)}</text>')
            i = end
    if path:
        out.append(f'<path d="{path}" stroke="{COLOURS[""]}" stroke-width="3.4" stroke-linecap="round"/>')
    return out


def main():
    build = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "build"))
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        os.symlink(os.path.join(ROOT, "recipes"), os.path.join(folder, "recipes"))
        for command in COMMANDS:
            lines.append([("$", "32"), (" ", "")] + [(c, "1") for c in command])
            lines.extend(screen(run(command, folder, build)))
    while not lines[-1]:
        lines.pop()
    width, height = COLUMNS * CELL_W + 2 * MARGIN, len(lines) * CELL_H + 2 * MARGIN
    svg = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
           f'viewBox="0 0 {width:g} {height:g}" font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="13">',
           f'<title>{escape("; ".join(COMMANDS))}</title>',
           '<rect width="100%" height="100%" rx="8" fill="#1c2026"/>']
    for i, line in enumerate(lines):
        svg.extend(draw_line(line, MARGIN + i * CELL_H))
    with open(os.path.join(ROOT, "docs", "terminal.svg"), "w", encoding="utf-8") as file:
        file.write("\n".join(svg + ["</svg>", ""]))


main()
