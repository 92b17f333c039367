//! A plot as SVG: measured points with their spread, and the curve that theory predicts, both axes
//! logarithmic.

use std::fmt::Write;

/// What is drawn.
#[derive(Clone, Debug)]
pub struct Plot {
    /// Above the plot.
    pub title: String,
    /// Below the horizontal axis.
    pub x: String,
    /// Beside the vertical axis.
    pub y: String,
    /// What the points are called.
    pub measured: String,
    /// What the curve is called.
    pub predicted: String,
    /// The points, of positive coordinates.
    pub points: Vec<Point>,
}

/// One point.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    /// Where it lies on the horizontal axis.
    pub x: f64,
    /// What was measured there.
    pub measured: f64,
    /// How far measurements spread round it, up and down.
    pub deviation: f64,
    /// What theory predicts there.
    pub predicted: f64,
}

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 480.0;

/// Room for the axes' numbers and names, in pixels: left, right, top, bottom.
const MARGIN: (f64, f64, f64, f64) = (90.0, 20.0, 50.0, 60.0);

impl Plot {
    /// The drawing.
    pub fn to_svg(&self) -> String {
        let mut svg = String::new();
        self.write(&mut svg).expect("writing to a string cannot fail");
        svg
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let (left, right, top, bottom) = MARGIN;
        writeln!(
            out,
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="13">"#
        )?;
        writeln!(out, r#"<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>"#)?;
        let middle = (left + WIDTH - right) / 2.0;
        text(out, middle, top / 2.0, "middle", &self.title)?;
        text(out, middle, HEIGHT - 15.0, "middle", &self.x)?;
        text(out, 10.0, top - 12.0, "start", &self.y)?;

        let x = Axis::over(self.points.iter().map(|point| point.x), left, WIDTH - right);
        let heights =
            self.points.iter().flat_map(|point| [point.low(), point.high(), point.predicted]);
        let y = Axis::over(heights, HEIGHT - bottom, top);
        for (at, label) in x.marks() {
            line(out, (at, y.to), (at, y.from), "#dddddd")?;
            text(out, at, y.from + 20.0, "middle", &label)?;
        }
        for (at, label) in y.marks() {
            line(out, (x.from, at), (x.to, at), "#dddddd")?;
            text(out, x.from - 8.0, at + 4.0, "end", &label)?;
        }
        self.write_curve(out, &x, &y)?;
        for point in &self.points {
            let at = x.place(point.x);
            line(out, (at, y.place(point.low())), (at, y.place(point.high())), "#1f5fa8")?;
            circle(out, at, y.place(point.measured))?;
        }
        circle(out, x.from + 20.0, y.to + 16.0)?;
        text(out, x.from + 32.0, y.to + 20.0, "start", &self.measured)?;
        line(out, (x.from + 10.0, y.to + 36.0), (x.from + 28.0, y.to + 36.0), "#c04020")?;
        text(out, x.from + 32.0, y.to + 40.0, "start", &self.predicted)?;
        writeln!(out, "</svg>")
    }

    fn write_curve(&self, out: &mut String, x: &Axis, y: &Axis) -> std::fmt::Result {
        let mut points = self.points.clone();
        points.sort_by(|one, other| one.x.total_cmp(&other.x));
        let places: Vec<_> = points
            .iter()
            .map(|point| format!("{:.1},{:.1}", x.place(point.x), y.place(point.predicted)))
            .collect();
        let places = places.join(" ");
        writeln!(
            out,
            r##"<polyline points="{places}" fill="none" stroke="#c04020" stroke-width="1.5"/>"##
        )
    }
}

impl Point {
    /// A logarithmic axis has no zero: what would reach below a half of the measured value ends there.
    fn low(&self) -> f64 {
        (self.measured - self.deviation).max(self.measured / 2.0)
    }

    fn high(&self) -> f64 {
        self.measured + self.deviation
    }
}

/// A logarithmic axis over whole powers of ten.
struct Axis {
    /// The powers at its two ends.
    powers: (i32, i32),
    /// The places of its two ends, in pixels.
    from: f64,
    to: f64,
}

impl Axis {
    /// An axis on which all these positive values have their place.
    fn over(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let (low, high) =
            values.map(f64::log10).fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), at| {
                (low.min(at), high.max(at))
            });
        let low = if low.is_finite() { low.floor() as i32 } else { 0 };
        let high = if high.is_finite() { high.ceil() as i32 } else { 1 };
        Self { powers: (low, high.max(low + 1)), from, to }
    }

    fn place(&self, value: f64) -> f64 {
        let (low, high) = (f64::from(self.powers.0), f64::from(self.powers.1));
        self.from + (value.log10() - low) / (high - low) * (self.to - self.from)
    }

    /// The powers of ten, each with its place.
    fn marks(&self) -> Vec<(f64, String)> {
        let mark = |power| {
            let value = 10_f64.powi(power);
            (self.place(value), format!("{value}"))
        };
        (self.powers.0..=self.powers.1).map(mark).collect()
    }
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

fn circle(out: &mut String, x: f64, y: f64) -> std::fmt::Result {
    writeln!(out, r##"<circle cx="{x:.1}" cy="{y:.1}" r="4" fill="#1f5fa8"/>"##)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_lie_where_the_axes_say() {
        let point = Point { x: 100.0, measured: 1_000.0, deviation: 100.0, predicted: 1_000.0 };
        let ends = [1.0, 10_000.0].map(|x| Point { x, measured: x, deviation: 0.0, predicted: x });
        let plot = Plot {
            title: "a < b & c".to_owned(),
            x: String::new(),
            y: String::new(),
            measured: String::new(),
            predicted: String::new(),
            points: vec![ends[0], point, ends[1]],
        };
        let svg = plot.to_svg();
        // Half of the way from 1 to 10,000, and three quarters.
        let (left, right, top, bottom) = MARGIN;
        let x = (left + WIDTH - right) / 2.0;
        let y = (HEIGHT - bottom) - 0.75 * (HEIGHT - bottom - top);
        assert!(svg.contains(&format!(r#"<circle cx="{x:.1}" cy="{y:.1}""#)), "{svg}");
        assert!(svg.contains("a &lt; b &amp; c"));
        assert_eq!(svg.matches("<svg").count(), svg.matches("</svg>").count());
    }

    #[test]
    fn a_spread_below_zero_and_a_single_point_are_drawn() {
        let point = Point { x: 10.0, measured: 5.0, deviation: 9.0, predicted: 10.0 };
        let plot = Plot {
            title: String::new(),
            x: String::new(),
            y: String::new(),
            measured: String::new(),
            predicted: String::new(),
            points: vec![point],
        };
        let svg = plot.to_svg();
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
