use super::*;

fn plot(scale: (Scale, Scale), mark: Mark, points: &[(f64, f64, f64)]) -> String {
    let point = |&(x, y, deviation): &(f64, f64, f64)| Point { x, y, deviation };
    let points = points.iter().map(point).collect();
    let plot = Plot {
        title: "a < b & c".to_owned(),
        x: Axis { name: String::new(), scale: scale.0 },
        y: Axis { name: String::new(), scale: scale.1 },
        curves: vec![Curve { name: String::new(), mark, colour: 7, points }],
    };
    plot.to_svg()
}

/// The place that lies so far along each axis.
fn place(x: f64, y: f64) -> (f64, f64) {
    let (left, right, top, bottom) = MARGIN;
    (left + x * (WIDTH - right - left), (HEIGHT - bottom) - y * (HEIGHT - bottom - top))
}

#[test]
fn points_lie_where_the_axes_say() {
    let logarithmic = (Scale::Logarithmic, Scale::Logarithmic);
    let points = [(1.0, 1.0, 0.0), (100.0, 1_000.0, 100.0), (10_000.0, 10_000.0, 0.0)];
    let svg = plot(logarithmic, Mark::Dots, &points);
    // Half of the way from 1 to 10,000, and three quarters.
    let (x, y) = place(0.5, 0.75);
    assert!(svg.contains(&format!(r#"<circle cx="{x:.1}" cy="{y:.1}""#)), "{svg}");
    assert!(svg.contains("a &lt; b &amp; c"));
    assert_eq!(svg.matches("<svg").count(), svg.matches("</svg>").count());

    let linear = (Scale::Linear, Scale::Linear);
    let svg = plot(linear, Mark::Line, &[(1.0, 0.0, 0.0), (5.0, 0.8, 0.0)]);
    let ((x1, y1), (x2, y2)) = (place(0.0, 0.0), place(1.0, 1.0));
    assert!(svg.contains(&format!("points=\"{x1:.1},{y1:.1} {x2:.1},{y2:.1}\"")), "{svg}");
    assert!(svg.contains(">0.3</text>") && svg.contains(">4.5</text>"), "{svg}");
}

#[test]
fn a_spread_below_zero_a_single_point_and_no_point_are_drawn() {
    for scale in [Scale::Linear, Scale::Logarithmic] {
        for points in [&[(10.0, 5.0, 9.0)][..], &[], &[(1.0, 0.0, 0.0)], &[(f64::NAN, 1.0, 0.0)]] {
            let svg = plot((Scale::Linear, scale), Mark::Dots, points);
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
    }
}

#[test]
fn a_check_harms_no_file_and_a_plot_is_written_over_one() {
    let empty = || Axis { name: String::new(), scale: Scale::Linear };
    let plot = Plot { title: String::new(), x: empty(), y: empty(), curves: Vec::new() };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plot.svg");
    std::fs::write(&path, "older, and longer than nothing at all").unwrap();
    Plot::check(&path).unwrap();
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("older"));
    plot.write(&path).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), plot.to_svg());
    for (path, why) in [
        (Path::new("/dev/null"), "it is not an ordinary file"),
        (&folder.path().join("no/such"), "No such file"),
    ] {
        let reason = format!("cannot write the plot to {}: {why}", path.display());
        for error in [Plot::check(path).unwrap_err(), plot.write(path).unwrap_err()] {
            assert!(error.to_string().starts_with(&reason), "{error}");
        }
    }
}

#[test]
fn marks_are_round() {
    let steps = [0.07, 0.1, 0.3, 1.0, 6.0, 21.0].map(round_step);
    let expected = [0.1, 0.1, 0.5, 1.0, 10.0, 50.0];
    for (step, expected) in steps.into_iter().zip(expected) {
        assert!((step / expected - 1.0).abs() < 1e-9, "{step} for {expected}");
    }
}
