//! A plot as SVG: what many runs measured, and the curves that theory predicts.
//!
//! A curve is drawn as dots, each with the spread of what was measured there, or as a line. Curves
//! of the same colour belong together: what was measured, and what theory says of it.

use std::fmt::Write;
use std::fs::OpenOptions;
use std::io;
use std::path::Path;

use crate::files::check_regular;

/// What is drawn.
#[derive(Clone, Debug)]
pub struct Plot {
    /// Above the plot.
    pub title: String,
    /// Below the horizontal axis.
    pub x: Axis,
    /// Above the vertical axis.
    pub y: Axis,
    /// The curves, in the order of the legend.
    pub curves: Vec<Curve>,
}

/// An axis, and how values lie on it.
#[derive(Clone, Debug)]
pub struct Axis {
    /// What it counts, with the unit.
    pub name: String,
    /// How values lie on it.
    pub scale: Scale,
}

/// How values lie on an axis.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scale {
    /// Equal differences are equally far apart.
    Linear,
    /// Equal ratios are equally far apart. Values are positive.
    Logarithmic,
}

/// One curve.
#[derive(Clone, Debug)]
pub struct Curve {
    /// What the legend calls it.
    pub name: String,
    /// How it is drawn.
    pub mark: Mark,
    /// Its colour: one of a palette, which begins again after its end.
    pub colour: usize,
    /// Its points. One that has no place on its axes, such as zero on a logarithmic one, is left out.
    pub points: Vec<Point>,
}

/// How a curve is drawn.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mark {
    /// A dot at each point, with its spread: what was measured.
    Dots,
    /// A line through the points, from left to right: what theory predicts.
    Line,
}

/// One point.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    /// Where it lies on the horizontal axis.
    pub x: f64,
    /// Where it lies on the vertical axis.
    pub y: f64,
    /// How far measurements spread round it, up and down.
    pub deviation: f64,
}

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 480.0;

/// Room for the axes' numbers and names, in pixels: left, right, top, bottom.
const MARGIN: (f64, f64, f64, f64) = (90.0, 20.0, 50.0, 60.0);

/// The height of a line of the legend, in pixels.
const LEGEND_LINE: f64 = 20.0;

/// Told apart by people who do not see all colours, too (after Okabe and Ito).
const PALETTE: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

/// About how many marks a linear axis has.
const MARKS: f64 = 8.0;

impl Plot {
    /// The drawing as an SVG document.
    pub fn to_svg(&self) -> String {
        let mut svg = String::new();
        self.draw(&mut svg).expect("writing to a string cannot fail");
        svg
    }

    /// Makes sure that a plot can be written there, without harm to what is there now: better to know
    /// before the runs that it is to show than after them.
    ///
    /// # Errors
    ///
    /// If it is no ordinary file, or cannot be written to. The error names it.
    pub fn check(path: &Path) -> io::Result<()> {
        let open = || OpenOptions::new().create(true).append(true).open(path);
        check_regular(path).and_then(|()| open()).map(drop).map_err(|error| failed(path, &error))
    }

    /// Writes the drawing to a file, over what is there.
    ///
    /// # Errors
    ///
    /// If it cannot be written. The error names the file.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let write = || std::fs::write(path, self.to_svg());
        check_regular(path).and_then(|()| write()).map_err(|error| failed(path, &error))
    }

    fn draw(&self, out: &mut String) -> std::fmt::Result {
        let (left, right, top, bottom) = MARGIN;
        writeln!(
            out,
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="13">"#
        )?;
        writeln!(out, r#"<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>"#)?;
        let middle = (left + WIDTH - right) / 2.0;
        text(out, middle, top / 2.0, "middle", &self.title)?;
        text(out, middle, HEIGHT - 15.0, "middle", &self.x.name)?;
        text(out, 10.0, top - 12.0, "start", &self.y.name)?;

        let points = || self.curves.iter().flat_map(|curve| &curve.points);
        let x = Ruler::over(self.x.scale, points().map(|point| point.x), left, WIDTH - right);
        let spread = |point: &Point| [point.low(self.y.scale), point.high()];
        let y = Ruler::over(self.y.scale, points().flat_map(spread), HEIGHT - bottom, top);
        for (at, label) in x.marks() {
            line(out, (at, y.to), (at, y.from), "#dddddd")?;
            text(out, at, y.from + 20.0, "middle", &label)?;
        }
        for (at, label) in y.marks() {
            line(out, (x.from, at), (x.to, at), "#dddddd")?;
            text(out, x.from - 8.0, at + 4.0, "end", &label)?;
        }
        for curve in &self.curves {
            curve.write(out, &x, &y)?;
        }
        let mut at = y.to + 16.0;
        for curve in &self.curves {
            curve.write_legend(out, x.from + 10.0, at)?;
            at += LEGEND_LINE;
        }
        writeln!(out, "</svg>")
    }
}

impl Curve {
    fn colour(&self) -> &'static str {
        PALETTE[self.colour % PALETTE.len()]
    }

    fn write(&self, out: &mut String, x: &Ruler, y: &Ruler) -> std::fmt::Result {
        let mut points: Vec<_> =
            self.points.iter().filter(|p| x.has(p.x) && y.has(p.y)).copied().collect();
        points.sort_by(|one, other| one.x.total_cmp(&other.x));
        match self.mark {
            Mark::Dots => {
                for point in points {
                    let at = x.place(point.x);
                    let (low, high) = (point.low(y.scale), point.high());
                    line(out, (at, y.place(low)), (at, y.place(high)), self.colour())?;
                    circle(out, at, y.place(point.y), self.colour())?;
                }
                Ok(())
            }
            Mark::Line => {
                let place =
                    |point: Point| format!("{:.1},{:.1}", x.place(point.x), y.place(point.y));
                let places: Vec<_> = points.into_iter().map(place).collect();
                writeln!(
                    out,
                    r#"<polyline points="{}" fill="none" stroke="{}" stroke-width="1.5"/>"#,
                    places.join(" "),
                    self.colour()
                )
            }
        }
    }

    fn write_legend(&self, out: &mut String, x: f64, y: f64) -> std::fmt::Result {
        match self.mark {
            Mark::Dots => circle(out, x + 9.0, y, self.colour())?,
            Mark::Line => line(out, (x, y), (x + 18.0, y), self.colour())?,
        }
        text(out, x + 24.0, y + 4.0, "start", &self.name)
    }
}

impl Point {
    /// A logarithmic axis has no zero: what would reach below a half of the value ends there.
    fn low(&self, scale: Scale) -> f64 {
        let low = self.y - self.deviation;
        match scale {
            Scale::Linear => low,
            Scale::Logarithmic => low.max(self.y / 2.0),
        }
    }

    fn high(&self) -> f64 {
        self.y + self.deviation
    }
}

/// Where values lie between the two ends of an axis: over whole powers of ten, if it is logarithmic.
struct Ruler {
    scale: Scale,
    /// What lies at its two ends: values, or powers of ten.
    ends: (f64, f64),
    /// From one mark to the next.
    step: f64,
    /// The places of its two ends, in pixels.
    from: f64,
    to: f64,
}

impl Ruler {
    /// A ruler on which all these values have their place.
    fn over(scale: Scale, values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let values = values.filter(|&value| scale.has(value)).map(|value| scale.of(value));
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), at| {
            (low.min(at), high.max(at))
        });
        let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
        let step = match scale {
            Scale::Linear => round_step((high - low) / MARKS),
            Scale::Logarithmic => 1.0,
        };
        let low = (low / step).floor() * step;
        let high = ((high / step).ceil() * step).max(low + step);
        Self { scale, ends: (low, high), step, from, to }
    }

    /// Whether a value has a place.
    fn has(&self, value: f64) -> bool {
        self.scale.has(value)
    }

    fn place(&self, value: f64) -> f64 {
        self.place_of(self.scale.of(value))
    }

    fn place_of(&self, at: f64) -> f64 {
        let (low, high) = self.ends;
        self.from + (at - low) / (high - low) * (self.to - self.from)
    }

    /// The marks, each with its place.
    fn marks(&self) -> Vec<(f64, String)> {
        let (low, high) = self.ends;
        let count = ((high - low) / self.step).round() as i32;
        let mark = |index: i32| {
            let at = low + f64::from(index) * self.step;
            let value = match self.scale {
                Scale::Linear => at,
                Scale::Logarithmic => 10_f64.powi(at.round() as i32),
            };
            // Twelve digits hide what adding steps up has rounded.
            let label = format!("{value:.12}");
            let label = label.trim_end_matches('0').trim_end_matches('.');
            (self.place_of(at), label.to_owned())
        };
        (0..=count).map(mark).collect()
    }
}

impl Scale {
    fn has(self, value: f64) -> bool {
        value.is_finite() && (self == Self::Linear || value > 0.0)
    }

    fn of(self, value: f64) -> f64 {
        match self {
            Self::Linear => value,
            Self::Logarithmic => value.log10(),
        }
    }
}

/// The next of 1, 2, 5, 10, 20, 50 and so on, and of 0.5, 0.2, 0.1 and so on.
fn round_step(least: f64) -> f64 {
    if least <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(least.log10().floor());
    let steps = [1.0, 2.0, 5.0].map(|digit| digit * power);
    steps.into_iter().find(|&step| step >= least).unwrap_or(10.0 * power)
}

fn text(out: &mut String, x: f64, y: f64, anchor: &str, words: &str) -> std::fmt::Result {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    writeln!(out, r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{words}</text>"#)
}

fn line(out: &mut String, from: (f64, f64), to: (f64, f64), colour: &str) -> std::fmt::Result {
    let ((x1, y1), (x2, y2)) = (from, to);
    writeln!(
        out,
        r#"<line x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}" stroke="{colour}" stroke-width="1.5"/>"#
    )
}

fn circle(out: &mut String, x: f64, y: f64, colour: &str) -> std::fmt::Result {
    writeln!(out, r#"<circle cx="{x:.1}" cy="{y:.1}" r="4" fill="{colour}"/>"#)
}

fn failed(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot write the plot to {}: {error}", path.display()))
}

#[cfg(test)]
mod tests;
