"""The colours of every picture: light and dark, told apart by colour-blind eyes, with their contrast as a function.

Blue speaks for, orange against: the pair that all common colour-blindness keeps apart. A meaning never hangs on a colour
alone; beside it stands a number, a sign, a dash or a shape.
"""

from __future__ import annotations

STEPS = 10  # of a heat ramp, from nothing (0) to the strongest value (10)

LIGHT = {
    "paper": "#fbfaf7",  # the page
    "sheet": "#ffffff",  # what lies on it
    "wash": "#f2efe8",  # quiet areas: tiles, code
    "ink": "#1d1c1a",
    "soft": "#5b574f",  # second-rank text
    "rule": "#dfdad0",  # hairlines
    "axis": "#8c877c",  # ticks, leader lines
    "accent": "#1a5a9e",
    "tint": "#e6eef7",  # behind what is recommended
    "warn": "#9c4206",
    "warntint": "#fbeee2",
    "for": "#1a5a9e",
    "against": "#b4500f",
}
DARK = {
    "paper": "#131518",
    "sheet": "#1a1d22",
    "wash": "#21252b",
    "ink": "#ece9e2",
    "soft": "#aeaaa0",
    "rule": "#343941",
    "axis": "#7f8490",
    "accent": "#8fbdf2",
    "tint": "#1c2c40",
    "warn": "#f2a66c",
    "warntint": "#38281b",
    "for": "#4f8fd6",
    "against": "#d9772b",
}

# Eight colours for eight models, each at least 3 : 1 against its sheet. They were searched for so that any two differ under
# normal sight, deuteranopia and protanopia alike, above all in lightness. A ninth model starts again with another dash.
LIGHT_SERIES = ("#0056be", "#aa3300", "#2aa183", "#610879", "#be7800", "#0089c0", "#701929", "#58676f")
DARK_SERIES = ("#5086e3", "#d46c00", "#9cfbc2", "#ebabff", "#ddbc22", "#58a3bf", "#ba6c77", "#c1b9a7")
DASHES = ("", "6 3", "2 3", "9 3 2 3")


def variables(colors: dict[str, str], series: tuple[str, ...]) -> str:
    """One theme as CSS custom properties: its colours, its series and both heat ramps with the text upon them."""
    found = dict(colors) | {f"s{index}": color for index, color in enumerate(series)}
    for sign, end in (("p", colors["for"]), ("n", colors["against"])):
        for step in range(STEPS + 1):
            found[f"{sign}{step}"] = mix(colors["sheet"], end, step / STEPS)
            found[f"{sign}{step}t"] = readable_on(found[f"{sign}{step}"], colors["ink"])
    return "".join(f"--{name}:{color};" for name, color in found.items())


def step_of(value: float, largest: float) -> str:
    """The class of a signed value on the ramps: ``p0`` … ``p10`` for it, ``n1`` … ``n10`` against it."""
    if value != value or largest <= 0:
        return "p0"
    step = round(min(1.0, abs(value) / largest) * STEPS)  # infinite values are as strong as the ramp goes
    return f"{'n' if value < 0 and step else 'p'}{step}"


def readable_on(background: str, ink: str) -> str:
    """Ink where it can be read, else white or black, whichever is clearer: at least 4.5 : 1 on any colour."""
    if contrast(ink, background) >= 5:
        return ink
    return max(("#ffffff", "#000000"), key=lambda color: contrast(color, background))


def contrast(first: str, second: str) -> float:
    """The contrast ratio of two colours, 1 to 21 (WCAG 2.2)."""
    light, dark = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def mix(first: str, second: str, share: float) -> str:
    """A colour on the way from one to another, in equal steps to the eye (OKLab, Ottosson 2020)."""
    start, end = _to_oklab(first), _to_oklab(second)
    return _from_oklab([a + (b - a) * share for a, b in zip(start, end, strict=True)])


def _linear(color: str) -> list[float]:
    """Red, green and blue as amounts of light, 0 to 1."""
    channels = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]


def _luminance(color: str) -> float:
    red, green, blue = _linear(color)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _to_oklab(color: str) -> list[float]:
    red, green, blue = _linear(color)
    long = (0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue) ** (1 / 3)
    medium = (0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue) ** (1 / 3)
    short = (0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue) ** (1 / 3)
    return [
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    ]


def _from_oklab(lab: list[float]) -> str:
    lightness, a, b = lab
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )
    channels = [c * 12.92 if c <= 0.0031308 else 1.055 * c ** (1 / 2.4) - 0.055 for c in (max(0.0, x) for x in linear)]
    return "#" + "".join(f"{min(255, max(0, round(channel * 255))):02x}" for channel in channels)
