//! Pictures, each as SVG and as PNG, that need no font of the machine and tell their colours apart for most eyes.

use anyhow::{Context, Result, anyhow};
use plotters::coord::Shift;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::{FontStyle, FontTransform, RGBAColor, RGBColor, register_font};
use std::ops::Range;
use std::path::Path;
use std::sync::OnceLock;

/// Twice what they are made to be looked at in, so that PNG files stay sharp.
const SIZE: (u32, u32) = (1800, 1200);
/// Where the legend begins.
const LEGEND: i32 = 1300;
/// Characters of a line of the legend.
const LEGEND_CHARACTERS: usize = 29;
const FONT: &str = "sans-serif";
/// Okabe and Ito's colours, without their yellow, which white drowns.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(0, 0, 0),
    RGBColor(86, 180, 233),
];
const GRID: RGBColor = RGBColor(225, 225, 225);

/// Lines through measured points.
#[derive(Debug, Clone)]
pub(crate) struct Chart {
    pub(crate) title: String,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) series: Vec<Series>,
    /// Below the legend: what the signs mean.
    pub(crate) remark: String,
}

/// One entry of the legend. Points are where the axes have them.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    /// Which colour and sign; the same in all pictures that belong together.
    pub(crate) style: usize,
    pub(crate) label: String,
    /// Joined by a line.
    pub(crate) line: Vec<(f64, f64)>,
    /// Drawn hollow and alone.
    pub(crate) others: Vec<(f64, f64)>,
}

/// A direction of a chart.
#[derive(Debug, Clone)]
pub(crate) struct Axis {
    pub(crate) label: String,
    low: f64,
    high: f64,
    ticks: Vec<(f64, String)>,
}

/// Panels side by side, in each a bar for every name.
#[derive(Debug, Clone)]
pub(crate) struct Bars {
    pub(crate) title: String,
    /// Each with the number of its colour.
    pub(crate) names: Vec<(usize, String)>,
    pub(crate) panels: Vec<Panel>,
}

/// One quantity of all names.
#[derive(Debug, Clone)]
pub(crate) struct Panel {
    pub(crate) what: String,
    /// In the order of the names: a length, and the words at its end.
    pub(crate) bars: Vec<Option<(f64, String)>>,
}

impl Axis {
    /// Around all of `values`, with the ticks that lie among them.
    fn around(label: &str, values: &[f64], ticks: impl IntoIterator<Item = (f64, String)>) -> Self {
        let lowest = values.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let margin = (0.05 * (highest - lowest)).max(0.02);
        let (low, high) = (lowest - margin, highest + margin);
        let ticks = ticks.into_iter().filter(|(at, _)| (low..=high).contains(at)).collect();
        Self { label: label.into(), low, high, ticks }
    }

    /// Logarithmic; `values` are logarithms to base 10 already.
    pub(crate) fn logarithmic(label: &str, values: &[f64]) -> Self {
        let lowest = values.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let steps: &[f64] = match highest - lowest {
            ..0.5 => &[1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0],
            ..3.0 => &[1.0, 2.0, 5.0],
            _ => &[1.0],
        };
        // Within the range of any measured number.
        let ticks = (-9..=12).flat_map(|power| steps.iter().map(move |step| (power, step)));
        let tick = |(power, step): (i32, &f64)| {
            let value = step * 10_f64.powi(power);
            let decimals =
                usize::try_from(-power).unwrap_or(0) + usize::from(step.fract() > 0.0 && power <= 0);
            (value.log10(), format!("{value:.decimals$}"))
        };
        Self::around(label, values, ticks.map(tick))
    }

    /// Recall, stretched towards 1: `values` are what [`stretch`] made of recalls.
    pub(crate) fn recall(label: &str, values: &[f64], one: f64) -> Self {
        let named = [0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9999];
        // The last tick needs room for its own name.
        let ticks = named.into_iter().map(|recall| (stretch(recall, one), recall.to_string()));
        let ticks = ticks.filter(|&(at, _)| at < one - 0.1).chain([(one, "1".into())]);
        Self::around(label, values, ticks)
    }
}

/// The place of a recall on an axis on which each halving of what is missed takes the same way; `one` is the place of 1.
pub(crate) fn stretch(recall: f64, one: f64) -> f64 {
    (-(1.0 - recall).log10()).min(one)
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let share = (value - self.low) / (self.high - self.low);
        limit.0 + (share * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.iter().map(|(at, _)| *at).collect()
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        self.ticks.iter().find(|(at, _)| at == value).map_or_else(String::new, |(_, name)| name.clone())
    }
}

type Area<DB> = DrawingArea<DB, Shift>;
type Drawn<DB> = Result<(), DrawingAreaErrorKind<<DB as DrawingBackend>::ErrorType>>;

/// Something that can be drawn anywhere.
pub(crate) trait Draw {
    /// Draws on a white area of `SIZE`.
    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Drawn<DB>;
}

/// Writes `<name>.svg` and `<name>.png` into a folder.
pub(crate) fn write(picture: &impl Draw, folder: &Path, name: &str) -> Result<()> {
    static FONTS: OnceLock<bool> = OnceLock::new();
    let known =
        *FONTS.get_or_init(|| register_font(FONT, FontStyle::Normal, dejavu::sans::regular()).is_ok());
    known.then_some(()).context("the font of the pictures cannot be read")?;
    for ending in ["svg", "png"] {
        let path = folder.join(format!("{name}.{ending}"));
        let drawn = match ending {
            "svg" => whole(picture, SVGBackend::new(&path, SIZE)).map_err(|error| anyhow!("{error}")),
            _ => whole(picture, BitMapBackend::new(&path, SIZE)).map_err(|error| anyhow!("{error}")),
        };
        drawn.with_context(|| format!("cannot draw {}", path.display()))?;
    }
    Ok(())
}

fn whole<DB: DrawingBackend>(picture: &impl Draw, backend: DB) -> Drawn<DB> {
    let root = backend.into_drawing_area();
    root.fill(&WHITE)?;
    picture.draw(&root)?;
    root.present()
}

impl Draw for Chart {
    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Drawn<DB> {
        text(root, &self.title, (SIZE.0 as i32 / 2, 36), 36, Place::Middle)?;
        let (left, _) = root.margin(88, 16, 16, 16).split_horizontally(LEGEND - 48);
        let mut chart = ChartBuilder::on(&left)
            .x_label_area_size(92)
            .y_label_area_size(132)
            .build_cartesian_2d(self.x.clone(), self.y.clone())?;
        chart
            .configure_mesh()
            .bold_line_style(GRID.stroke_width(2))
            .light_line_style(WHITE)
            .axis_style(BLACK.stroke_width(2))
            .set_all_tick_mark_size(10)
            .label_style((FONT, 26))
            .axis_desc_style((FONT, 30))
            .x_desc(&self.x.label)
            .y_desc(&self.y.label)
            .x_label_formatter(&|value| self.x.format_ext(value))
            .y_label_formatter(&|value| self.y.format_ext(value))
            .draw()?;
        let place = |points: &[(f64, f64)]| -> Vec<(i32, i32)> {
            points.iter().map(|point| chart.backend_coord(point)).collect()
        };
        // The first entries lie on top.
        for series in self.series.iter().rev() {
            let n = series.style;
            for point in place(&series.others) {
                marker(root, n, point, false)?;
            }
            let line = place(&series.line);
            stroke(root, n, &line)?;
            for point in line {
                marker(root, n, point, true)?;
            }
        }
        let mut y = 120;
        for series in &self.series {
            let n = series.style;
            stroke(root, n, &[(LEGEND, y), (LEGEND + 56, y)])?;
            marker(root, n, (LEGEND + 28, y), true)?;
            y = lines(root, &wrapped(&series.label, LEGEND_CHARACTERS), (LEGEND + 72, y), 26)? + 12;
        }
        lines(root, &wrapped(&self.remark, LEGEND_CHARACTERS + 6), (LEGEND, y + 20), 24)?;
        Ok(())
    }
}

impl Draw for Bars {
    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Drawn<DB> {
        /// Where the first panel begins.
        const NAMES: i32 = 460;
        text(root, &self.title, (SIZE.0 as i32 / 2, 36), 36, Place::Middle)?;
        let panels = self.panels.len().max(1) as i32;
        let (width, top) = ((SIZE.0 as i32 - NAMES - 20) / panels, 168);
        let step = ((SIZE.1 as i32 - top - 40) / self.names.len().max(1) as i32).min(168);
        for (n, (_, name)) in self.names.iter().enumerate() {
            let middle = top + step * n as i32 + step / 2;
            let name = wrapped(name, 31);
            let first = middle - 16 * (name.len() as i32 - 1);
            for (line, y) in name.iter().zip((first..).step_by(32)) {
                text(root, line, (NAMES - 20, y), 26, Place::End)?;
            }
        }
        for (column, Panel { what, bars }) in self.panels.iter().enumerate() {
            let left = NAMES + width * column as i32;
            text(root, what, (left, top - 40), 28, Place::Start)?;
            let longest = bars.iter().flatten().map(|(value, _)| *value).fold(0.0, f64::max);
            // What is left behind the longest bar holds its words.
            let room = f64::from(width - 152);
            for (n, (bar, (style, _))) in bars.iter().zip(&self.names).enumerate() {
                let middle = top + step * n as i32 + step / 2;
                let Some((value, words)) = bar else {
                    text(root, "not measured", (left + 12, middle), 24, Place::Start)?;
                    continue;
                };
                let end = left + (value / longest.max(f64::MIN_POSITIVE) * room).round() as i32;
                let half = (step * 3 / 10).max(2);
                let corners = [(left, middle - half), (end.max(left + 2), middle + half)];
                root.draw(&Rectangle::new(corners, COLOURS[style % COLOURS.len()].filled()))?;
                text(root, words, (end + 12, middle), 24, Place::Start)?;
            }
            let bottom = top + step * self.names.len() as i32;
            root.draw(&PathElement::new(vec![(left, top), (left, bottom)], BLACK.stroke_width(2)))?;
        }
        Ok(())
    }
}

/// Which end of a text lies at its place.
#[derive(Clone, Copy)]
enum Place {
    Start,
    Middle,
    End,
}

fn text<DB: DrawingBackend>(
    root: &Area<DB>,
    words: &str,
    at: (i32, i32),
    size: i32,
    place: Place,
) -> Drawn<DB> {
    use plotters::style::text_anchor::{HPos, Pos, VPos};
    let across = match place {
        Place::Start => HPos::Left,
        Place::Middle => HPos::Center,
        Place::End => HPos::Right,
    };
    let font = (FONT, size).into_font().transform(FontTransform::None);
    let style = TextStyle::from(font).pos(Pos::new(across, VPos::Center));
    root.draw_text(words, &style, at)
}

/// Writes lines below each other and answers where the next one would be.
fn lines<DB: DrawingBackend>(
    root: &Area<DB>,
    lines: &[String],
    (x, mut y): (i32, i32),
    size: i32,
) -> Result<i32, DrawingAreaErrorKind<DB::ErrorType>> {
    for line in lines {
        text(root, line, (x, y), size, Place::Start)?;
        y += size + 8;
    }
    Ok(y)
}

/// Breaks behind commas and at spaces; a piece without either may be longer.
fn wrapped(text: &str, characters: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for piece in text.split_inclusive([',', ' ', ':']) {
        let line = lines.last_mut().expect("there is always a line");
        if !line.is_empty() && line.chars().count() + piece.trim_end().chars().count() > characters {
            lines.push(piece.into());
        } else {
            line.push_str(piece);
        }
    }
    lines.iter().map(|line| line.trim_end().to_owned()).collect()
}

/// The n-th series' line: solid for the first round through the colours, dashed for the next.
fn stroke<DB: DrawingBackend>(root: &Area<DB>, n: usize, points: &[(i32, i32)]) -> Drawn<DB> {
    let style = COLOURS[n % COLOURS.len()].stroke_width(4);
    if (n / COLOURS.len()).is_multiple_of(2) {
        root.draw(&PathElement::new(points.to_vec(), style))
    } else {
        root.draw(&DashedPathElement::new(points.to_vec(), 14, 8, style))
    }
}

/// The n-th series' sign around a point: a disc, a square, a triangle or a diamond.
fn marker<DB: DrawingBackend>(root: &Area<DB>, n: usize, (x, y): (i32, i32), filled: bool) -> Drawn<DB> {
    let colour = COLOURS[n % COLOURS.len()];
    let corners = match (n + n / COLOURS.len()) % 4 {
        0 if filled => return root.draw(&Circle::new((x, y), 10, colour.filled())),
        0 => return root.draw(&Circle::new((x, y), 9, faint(colour).stroke_width(2))),
        1 => vec![(x - 8, y - 8), (x + 8, y - 8), (x + 8, y + 8), (x - 8, y + 8)],
        2 => vec![(x - 11, y + 8), (x + 11, y + 8), (x, y - 11)],
        _ => vec![(x - 11, y), (x, y - 11), (x + 11, y), (x, y + 11)],
    };
    if filled {
        return root.draw(&Polygon::new(corners, colour.filled()));
    }
    let closed = corners.iter().chain(&corners[..1]).copied().collect::<Vec<_>>();
    root.draw(&PathElement::new(closed, faint(colour).stroke_width(2)))
}

fn faint(colour: RGBColor) -> RGBAColor {
    colour.mix(0.55)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_broken_where_they_may() {
        assert_eq!(wrapped("engine:index,m=16,ef=64", 14), ["engine:index,", "m=16,ef=64"]);
        assert_eq!(wrapped("whatdoesnotbreak", 4), ["whatdoesnotbreak"]);
        assert_eq!(wrapped("a few short words", 8), ["a few", "short", "words"]);
    }

    #[test]
    fn recall_is_stretched_towards_one() {
        let way = |from: f64, to: f64| stretch(to, 9.0) - stretch(from, 9.0);
        assert!((way(0.9, 0.99) - 1.0).abs() < 1e-9 && (way(0.99, 0.999) - 1.0).abs() < 1e-9);
        assert_eq!((stretch(1.0, 4.0), stretch(0.0, 4.0)), (4.0, 0.0));
        let axis = Axis::recall("recall", &[stretch(0.9, 2.5), stretch(0.98, 2.5), 2.5], 2.5);
        let names: Vec<&str> = axis.ticks.iter().map(|(_, name)| name.as_str()).collect();
        assert_eq!(names, ["0.9", "0.95", "0.98", "0.99", "0.995", "1"]);
    }

    #[test]
    fn logarithmic_ticks_are_round_numbers() {
        let names = |low: f64, high: f64| -> Vec<String> {
            let axis = Axis::logarithmic("", &[low.log10(), high.log10()]);
            axis.ticks.into_iter().map(|(_, name)| name).collect()
        };
        assert_eq!(names(0.09, 1.1), ["0.1", "0.2", "0.5", "1"]);
        assert_eq!(names(90.0, 2100.0), ["100", "200", "500", "1000", "2000"]);
        assert_eq!(names(1.0, 1.9), ["1", "1.5"]);
        assert_eq!(names(5.0, 50_000.0), ["10", "100", "1000", "10000"]);
    }

    #[test]
    fn a_single_point_has_room_around_it() {
        let axis = Axis::logarithmic("", &[2.0]);
        assert!(axis.low < 2.0 && 2.0 < axis.high && axis.ticks.len() == 1);
        assert_eq!(axis.map(&axis.low, (10, 110)), 10);
        assert_eq!(axis.map(&2.0, (10, 110)), 60);
    }
}
