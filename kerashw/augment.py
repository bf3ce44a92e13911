"""How training images may vary (Augment), declared in degrees and fractions: plain data, no imports of Keras.

    settings = dict(augment=Augment(rotation=20, zoom=0.10, width_shift=0.05, height_shift=0.05), ...)
"""

from dataclasses import asdict, dataclass, fields

from kerashw.errors import UsageError

FILL_MODES = ("constant", "nearest", "reflect", "wrap")

# knob: (largest value, whether that value itself is allowed, unit); the smallest is always 0
_LIMITS = {
    "rotation": (180, True, "degrees"),
    "width_shift": (1, True, "a fraction of the width"),
    "height_shift": (1, True, "a fraction of the height"),
    "zoom": (1, False, "a fraction"),  # 1 would shrink an image to a point
    "shear": (90, False, "degrees"),  # 90 would draw an image out without end
    "brightness": (1, True, "a fraction"),  # above 1 an image could turn negative
    "fill_value": (255, True, "in units of a pixel, as the images are before any rescaling"),
}


@dataclass(frozen=True, kw_only=True)
class Augment:
    """What may happen to an image in training; a knob is the far end of a range that is drawn from uniformly.

    rotation        degrees, from [-rotation, rotation]
    width_shift     fraction of the width, from [-width_shift, width_shift]
    height_shift    fraction of the height, from [-height_shift, height_shift]
    zoom            factor, the same along both axes, from [1 - zoom, 1 + zoom]
    shear           degrees, from [-shear, shear]
    horizontal_flip left becomes right in every second image, by chance
    vertical_flip   top becomes bottom in every second image, by chance
    brightness      factor of the pixels, fill included, from [1 - brightness, 1 + brightness]; the result stays
                    within 0 and 255
    fill_mode       what shows where the image has moved away: "constant" (`fill_value`), "nearest" (the edge
                    drawn out), "reflect" (the image mirrored at its edge) or "wrap" (the opposite side)
    fill_value      pixel value for "constant", from 0 to 255

    >>> Augment(rotation=20, zoom=0.1) == Augment(zoom=0.1, rotation=20)
    True
    >>> Augment(rotation=400)
    Traceback (most recent call last):
    kerashw.errors.UsageError: Augment: rotation must be from 0 to 180 (degrees), got 400.
    """

    rotation: float = 0
    width_shift: float = 0
    height_shift: float = 0
    zoom: float = 0
    shear: float = 0
    horizontal_flip: bool = False
    vertical_flip: bool = False
    brightness: float = 0
    fill_mode: str = "constant"
    fill_value: float = 0

    def __new__(cls, **knobs):
        names = [field.name for field in fields(cls)]
        unknown = [name for name in knobs if name not in names]
        if unknown:
            unknown = ", ".join(map(repr, unknown))
            raise UsageError(f"Augment has no knob {unknown}; it has {', '.join(names)}.")
        return super().__new__(cls)

    def __post_init__(self):
        for knob, (high, included, unit) in _LIMITS.items():
            value = getattr(self, knob)
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            # Written so that NaN, which no comparison holds for, is refused too.
            if not number or not (0 <= value <= high) or (value == high and not included):
                until = "to" if included else "to below"
                raise UsageError(f"Augment: {knob} must be from 0 {until} {high} ({unit}), got {value!r}.")
        for knob in ("horizontal_flip", "vertical_flip"):
            if not isinstance(getattr(self, knob), bool):
                raise UsageError(f"Augment: {knob} must be True or False, got {getattr(self, knob)!r}.")
        if self.fill_mode not in FILL_MODES:
            modes = ", ".join(FILL_MODES)
            raise UsageError(f"Augment: fill_mode must be one of {modes}, got {self.fill_mode!r}.")

    def settings(self):
        """Every knob by name, ready for JSON and for `Augment(**settings)`.

        >>> Augment(**Augment(shear=5).settings()) == Augment(shear=5)
        True
        """
        return asdict(self)
