//! A CSV file as samples.

use crate::data::Samples;
use clap::ValueEnum;
use csv::{ReaderBuilder, StringRecord};
use std::fmt::{Debug, Display, Formatter};
use std::path::{Path, PathBuf};

/// A column of whole numbers with at most so many different ones holds classes, unless it is told otherwise.
const FEW: usize = 20;
/// So many different texts can a column hold.
const MOST: usize = 256;
/// So few rows cannot be split into three parts.
const LEAST_ROWS: usize = 10;

/// What is to be predicted of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// The class that each of its values names.
    Classification,
    /// A number.
    Regression,
}

/// The rows of a CSV file. A column whose first value is a number is one of numbers; any other is one of
/// texts, of which each different one becomes a column of zeros and ones.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// The rows.
    pub samples: Samples,
    /// The names of the classes, in order; none in a regression.
    pub classes: Vec<String>,
}

/// Why a CSV file cannot be used.
#[derive(PartialEq, Eq)]
pub struct CsvError {
    file: PathBuf,
    what: String,
}

impl Display for CsvError {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}`, {}", self.file.display(), self.what)
    }
}

impl Debug for CsvError {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        Display::fmt(self, f)
    }
}

impl std::error::Error for CsvError {}

/// A column, read.
enum Column {
    Numbers(Vec<f32>),
    /// The different texts in order, and the number of each row's.
    Texts(Vec<String>, Vec<usize>),
}

impl Table {
    /// Reads a file whose first line names its columns, and of which the column `target` is to be predicted:
    /// by `kind`, or if none is given, as classes if it holds texts or at most 20 different whole numbers,
    /// and as a number otherwise.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, lines have different numbers of fields, a field is empty or is not a
    /// (finite) number where its column has numbers, there is no such column or more than one, there are too
    /// few rows, or there are fewer than 2 or more than 256 classes.
    pub fn read(file: &Path, target: &str, kind: Option<Kind>) -> Result<Self, CsvError> {
        let failed = |what: String| CsvError {
            file: file.to_owned(),
            what,
        };
        let reader = ReaderBuilder::new().trim(csv::Trim::All).from_path(file);
        let mut reader = reader.map_err(|error| failed(error.to_string()))?;
        let names = reader
            .headers()
            .map_err(|error| failed(error.to_string()))?;
        let names: Vec<String> = names.iter().map(str::to_owned).collect();
        let named = names.iter().filter(|name| *name == target).count();
        if named != 1 {
            let how_many = if named == 0 { "no" } else { "more than one" };
            let all = names.join(", ");
            return Err(failed(format!(
                "line 1: {how_many} column \"{target}\"; there are: {all}"
            )));
        }
        let rows: Result<Vec<StringRecord>, _> = reader.records().collect();
        let rows = rows.map_err(|error| failed(error.to_string()))?;
        if rows.len() < LEAST_ROWS {
            let what = format!(
                "{} rows, too few to train and test on: at least {LEAST_ROWS}",
                rows.len()
            );
            return Err(failed(what));
        }
        let read = |(at, name): (usize, &String)| {
            // As numbers where classes are asked for would lose their names.
            let as_texts = name == target && kind == Some(Kind::Classification);
            Column::read(&rows, at, name, as_texts).map_err(failed)
        };
        let columns = names.iter().enumerate().map(read);
        let columns: Vec<Column> = columns.collect::<Result<_, _>>()?;

        let mut samples = Samples::default();
        let mut classes = Vec::new();
        let mut inputs = Vec::new();
        for (name, column) in names.iter().zip(columns) {
            if name != target {
                samples.features += column.width();
                inputs.push(column);
                continue;
            }
            match column.into_target(kind) {
                Column::Numbers(numbers) => samples.numbers = numbers,
                Column::Texts(_, _) if kind == Some(Kind::Regression) => {
                    return Err(failed(format!(
                        "column \"{name}\": texts, no numbers to predict"
                    )));
                }
                Column::Texts(texts, at) => {
                    if texts.len() < 2 {
                        let what = format!("column \"{name}\": one class only, \"{}\"", texts[0]);
                        return Err(failed(what));
                    }
                    samples.labels = at.into_iter().map(|class| class as u8).collect();
                    classes = texts;
                }
            }
        }
        if samples.features == 0 {
            return Err(failed(format!(
                "no column besides \"{target}\" to predict it by"
            )));
        }
        for row in 0..rows.len() {
            for column in &inputs {
                match column {
                    Column::Numbers(numbers) => samples.pixels.push(numbers[row]),
                    Column::Texts(texts, at) => {
                        let is = (0..texts.len()).map(|text| f32::from(text == at[row]));
                        samples.pixels.extend(is);
                    }
                }
            }
        }
        Ok(Self { samples, classes })
    }
}

impl Column {
    fn read(rows: &[StringRecord], at: usize, name: &str, as_texts: bool) -> Result<Self, String> {
        let place = |row: &StringRecord| {
            let line = row.position().map_or(0, csv::Position::line);
            format!("line {line}, column \"{name}\"")
        };
        let value = |row| -> Result<&str, String> {
            match StringRecord::get(row, at).unwrap_or_default() {
                "" => Err(format!("{}: no value", place(row))),
                value => Ok(value),
            }
        };
        let values = rows.iter().map(value).collect::<Result<Vec<&str>, _>>()?;
        if !as_texts && values[0].parse::<f32>().is_ok() {
            let number = |(row, value): (&StringRecord, &&str)| {
                let number = value.parse().ok().filter(|number: &f32| number.is_finite());
                number.ok_or_else(|| format!("{}: \"{value}\" is not a finite number", place(row)))
            };
            let numbers = rows.iter().zip(&values).map(number);
            return Ok(Self::Numbers(numbers.collect::<Result<_, _>>()?));
        }
        let mut texts: Vec<String> = values.iter().map(|value| value.to_string()).collect();
        texts.sort();
        texts.dedup();
        if texts.len() > MOST {
            let many = texts.len();
            return Err(format!(
                "column \"{name}\": {many} different texts, more than {MOST}"
            ));
        }
        let number = |value: &&str| {
            texts
                .binary_search_by(|text| text.as_str().cmp(value))
                .unwrap_or(0)
        };
        let numbers = values.iter().map(number).collect();
        Ok(Self::Texts(texts, numbers))
    }

    fn width(&self) -> usize {
        match self {
            Self::Numbers(_) => 1,
            Self::Texts(texts, _) => texts.len(),
        }
    }

    /// Few whole numbers as classes, unless a regression is asked for.
    fn into_target(self, kind: Option<Kind>) -> Self {
        let Self::Numbers(numbers) = self else {
            return self;
        };
        let mut different = numbers.clone();
        different.sort_by(f32::total_cmp);
        different.dedup();
        let is_whole = different.iter().all(|number| number.fract() == 0.0);
        if kind == Some(Kind::Regression) || !is_whole || different.len() > FEW {
            return Self::Numbers(numbers);
        }
        let place = |number: &f32| {
            different
                .iter()
                .position(|other| other == number)
                .unwrap_or(0)
        };
        let at = numbers.iter().map(place).collect();
        Self::Texts(different.iter().map(f32::to_string).collect(), at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A file with these lines.
    fn read(lines: &str, target: &str, kind: Option<Kind>) -> Result<Table, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("t.csv");
        fs::write(&file, lines).unwrap();
        Table::read(&file, target, kind).map_err(|error| {
            let text = error.to_string();
            text.replace(&folder.path().display().to_string(), "")
        })
    }

    fn table(row: &str) -> String {
        let rows: Vec<String> = (0..12)
            .map(|at| row.replace('#', &at.to_string()))
            .collect();
        rows.join("\n")
    }

    #[test]
    fn numbers_stay_texts_become_columns_and_the_target_says_the_task() {
        let file = format!("size, colour ,price\n{}\n7,blue,2.5\n", table("#,red,#.25"));
        let read_as = |target, kind| read(&file, target, kind).unwrap();
        let price = read_as("price", None);
        assert_eq!((price.samples.features, price.classes.len()), (3, 0));
        assert_eq!(price.samples.pixels[..6], [0.0, 0.0, 1.0, 1.0, 0.0, 1.0]);
        assert_eq!(price.samples.pixels[36..], [7.0, 1.0, 0.0]);
        assert_eq!(price.samples.numbers[12], 2.5);
        let colour = read_as("colour", None);
        assert_eq!(colour.classes, ["blue", "red"]);
        assert_eq!(colour.samples.labels[11..], [1, 0]);
        assert_eq!(colour.samples.pixels[..4], [0.0, 0.25, 1.0, 1.25]);
        // Twelve different whole numbers: classes, in the order of the numbers; or not.
        let size = read_as("size", None);
        assert_eq!((size.classes.len(), size.samples.labels[11]), (12, 11));
        let size = read_as("size", Some(Kind::Regression));
        assert_eq!((size.classes.len(), size.samples.numbers[11]), (0, 11.0));
        assert_eq!(
            read_as("price", Some(Kind::Classification)).classes.len(),
            13
        );
    }

    #[test]
    fn what_is_wrong_is_quoted_with_its_line_and_column() {
        for (file, target, expected) in [
            (
                format!("a,b\n{}\nx,1\n", table("#,1")),
                "b",
                "line 14, column \"a\": \"x\" is not a finite number",
            ),
            (
                format!("a,b\n{}\ninf,1\n", table("#,1")),
                "b",
                "line 14, column \"a\": \"inf\" is not a finite number",
            ),
            (
                format!("a,b\n1,\n{}\n", table("#,1")),
                "b",
                "line 2, column \"b\": no value",
            ),
            (format!("a,b\n{}\n1,2,3\n", table("#,1")), "b", "line: 14"),
            (
                format!("a,b\n{}\n", table("#,1")),
                "c",
                "line 1: no column \"c\"; there are: a, b",
            ),
            (
                format!("a,a\n{}\n", table("#,1")),
                "a",
                "more than one column \"a\"",
            ),
            ("a,b\n1,2\n".to_owned(), "b", "1 rows, too few"),
            (
                format!("a,b\n{}\n", table("#,1")),
                "b",
                "column \"b\": one class only, \"1\"",
            ),
            (
                format!("b\n{}\n", table("#")),
                "b",
                "no column besides \"b\"",
            ),
        ] {
            let error = read(&file, target, None).unwrap_err();
            assert!(
                error.contains(expected) && error.contains("t.csv"),
                "{error}"
            );
        }
        let texts = format!("a,b\n{}\n", table("#,x"));
        let error = read(&texts, "b", Some(Kind::Regression)).unwrap_err();
        assert!(error.contains("column \"b\": texts"), "{error}");
        let missing = Table::read(Path::new("/nowhere/t.csv"), "b", None).unwrap_err();
        assert!(
            missing.to_string().starts_with("`/nowhere/t.csv`"),
            "{missing}"
        );
    }
}
