//! Random expressions and rows over one schema, from a small world in which they meet.

use super::row::Row;
use crate::schema::{DataType, Field, Scalar, Schema};
use fastrand::Rng;
use serde_json::{Map, Value as Json, json};

/// Every type there is; all but the primary key can be NULL.
#[must_use]
pub fn schema() -> Schema {
    use Scalar::{Bool, Double, Float, Int8, Int16, Int32, Int64, VarChar};
    let scalar = |name, scalar| Field::new(name, DataType::Scalar(scalar));
    let array = |name, element| Field::new(name, DataType::Array(element));
    Schema {
        fields: vec![
            scalar("id", Int64).as_primary_key(),
            scalar("flag", Bool),
            scalar("i8", Int8),
            scalar("i16", Int16),
            scalar("i32", Int32),
            scalar("i64", Int64),
            scalar("f", Float),
            scalar("d", Double),
            scalar("s", VarChar),
            array("flags", Bool),
            array("smalls", Int16),
            array("ints", Int64),
            array("floats", Float),
            array("doubles", Double),
            array("words", VarChar),
            Field::new("j", DataType::Json),
            Field::new("vector", DataType::Opaque("FloatVector".into())),
        ],
        dynamic_column: Some("$meta".into()),
    }
}

/// Makes expressions and rows.
#[derive(Debug)]
pub struct Generator(Rng);

const WORDS: [&str; 11] = ["", "a", "ab", "abc", "b", "a%", "A", "é", "a_b\\", "it's", "\"{b,$1}\""];
const COMPARISONS: [&str; 6] = ["<", "<=", ">", ">=", "==", "!="];
const PATHS: [&str; 12] = [
    "j",
    "j['a']",
    "j['b']",
    "j['a']['b']",
    "j['a'][0]",
    "j[0]",
    "j['-1']",
    "j['01']",
    "k",
    "$meta['k']",
    "m['a']",
    "m[1]",
];

impl Generator {
    /// The same seed, the same expressions and rows.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Rng::with_seed(seed))
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.0.usize(..from.len())]
    }

    fn one_in(&mut self, n: u32) -> bool {
        self.0.u32(..n) == 0
    }

    /// A row with this id.
    pub fn row(&mut self, id: i64) -> Row {
        let mut entity = Map::from_iter([("id".to_owned(), json!(id))]);
        for field in schema().fields.iter().skip(1) {
            if self.one_in(4) {
                continue;
            }
            let value = match &field.data_type {
                DataType::Scalar(scalar) => self.scalar(*scalar),
                DataType::Array(element) => {
                    let length = self.0.usize(..4);
                    (0..length)
                        .map(|_| if self.one_in(12) { Json::Null } else { self.scalar(*element) })
                        .collect()
                }
                DataType::Json => self.json(3),
                DataType::Opaque(_) => continue,
            };
            entity.insert(field.name.clone(), value);
        }
        for key in ["k", "m"] {
            if !self.one_in(3) {
                entity.insert(key.into(), self.json(2));
            }
        }
        Row::from_json(&schema(), &entity).expect("values of the types")
    }

    fn scalar(&mut self, scalar: Scalar) -> Json {
        match scalar {
            Scalar::Bool => json!(self.0.bool()),
            Scalar::VarChar => json!(self.pick(&WORDS)),
            Scalar::Float | Scalar::Double => self.float(),
            Scalar::Int64 if self.one_in(8) => json!(self.pick(&[i64::MIN, i64::MAX, i64::MAX - 1, 1 << 60])),
            Scalar::Int32 if self.one_in(8) => json!(self.pick(&[i32::MIN, i32::MAX])),
            Scalar::Int8 | Scalar::Int16 if self.one_in(8) => json!(self.pick(&[i16::MIN, i16::MAX])),
            _ => json!(self.0.i64(-4..5)),
        }
    }

    /// Few of these are the nearest to anything: quarters, and some from far out.
    fn float(&mut self) -> Json {
        if self.one_in(10) {
            return json!(self.pick(&[1e30, -1e30, 1e-30, 0.1, -0.0]));
        }
        json!(f64::from(self.0.i32(-16..17)) / 4.0)
    }

    fn json(&mut self, depth: u32) -> Json {
        match self.0.u32(..if depth == 0 { 5 } else { 8 }) {
            0 => json!(self.0.bool()),
            1 => json!(self.0.i64(-4..5)),
            2 => json!(f64::from(self.0.i32(-8..9)) / 4.0),
            3 => json!(self.pick(&WORDS)),
            4 => Json::Null,
            5 => (0..self.0.usize(..4)).map(|_| self.json(depth - 1)).collect(),
            _ => {
                let keys = ["a", "b", "0", "-1", "01"];
                let some: Vec<&str> = keys.into_iter().filter(|_| self.0.bool()).collect();
                some.into_iter()
                    .map(|key| (key.to_owned(), self.json(depth - 1)))
                    .collect::<Map<_, _>>()
                    .into()
            }
        }
    }

    /// An expression that the schema accepts, with connectives so many deep.
    pub fn expression(&mut self, depth: u32) -> String {
        if depth == 0 || self.one_in(4) {
            return self.test();
        }
        match self.0.u32(..5) {
            0 | 1 => format!("({} and {})", self.expression(depth - 1), self.expression(depth - 1)),
            2 | 3 => format!("({} or {})", self.expression(depth - 1), self.expression(depth - 1)),
            _ => format!("not ({})", self.expression(depth - 1)),
        }
    }

    fn test(&mut self) -> String {
        match self.0.u32(..13) {
            0 | 1 => self.scalar_test(),
            2 => self.scalar_in(),
            3 => self.arithmetic(),
            4 => self.like(),
            5 => self.columns(),
            6 => self.array(),
            7 => {
                let field = self.pick(&["flag", "i32", "s", "ints", "j", "$meta", "j['a']", "k", "m['a']"]);
                format!("{field} is {}null", self.pick(&["", "not "]))
            }
            8 => self.json_contains(),
            12 => self.regex(),
            9 => format!("{}exists {}", self.pick(&["", "not "]), self.pick(&PATHS[1..])),
            _ => self.json_test(),
        }
    }

    fn literal(&mut self, scalar: Scalar) -> String {
        match self.scalar(scalar) {
            // Any integer may be compared with any integer column.
            Json::Number(_) if scalar.is_integer() && self.one_in(6) => self
                .pick(&["70000", "-70000", "5000000000", "-9223372036854775808", "9223372036854775807"])
                .into(),
            value => value.to_string(),
        }
    }

    /// A scalar column or an element, and its type.
    fn operand(&mut self) -> (String, Scalar) {
        let fields: Vec<Field> = schema().fields;
        loop {
            let field = &fields[self.0.usize(..fields.len())];
            match field.data_type {
                DataType::Scalar(scalar) => return (field.name.clone(), scalar),
                DataType::Array(element) => return (format!("{}[{}]", field.name, self.0.u32(..3)), element),
                _ => {}
            }
        }
    }

    fn scalar_test(&mut self) -> String {
        let (operand, scalar) = self.operand();
        let (operator, literal) = (self.pick(&COMPARISONS), self.literal(scalar));
        if scalar.is_number() && self.one_in(4) {
            let least = self.0.i32(-4..1);
            return format!(
                "{least} {} {operand} {} {}",
                self.pick(&["<", "<="]),
                self.pick(&["<", "<="]),
                least + 3
            );
        }
        if self.one_in(4) {
            format!("{literal} {operator} {operand}")
        } else {
            format!("{operand} {operator} {literal}")
        }
    }

    fn literals(&mut self, scalar: Scalar) -> String {
        let list: Vec<String> = (0..self.0.usize(..4)).map(|_| self.literal(scalar)).collect();
        format!("[{}]", list.join(", "))
    }

    fn scalar_in(&mut self) -> String {
        let (operand, scalar) = self.operand();
        format!("{operand} {}in {}", self.pick(&["", "not "]), self.literals(scalar))
    }

    fn arithmetic(&mut self) -> String {
        let (operand, scalar) = self.operand();
        if !scalar.is_number() || self.one_in(3) {
            return self.json_arithmetic();
        }
        let (comparison, to) = (self.pick(&COMPARISONS), self.literal(scalar));
        let operators: &[&str] =
            if scalar.is_integer() { &["+", "-", "*", "/", "%"] } else { &["+", "-", "*", "/"] };
        let operator = self.pick(operators);
        let by = match self.literal(scalar) {
            by if matches!(operator, "/" | "%") && by.parse::<f64>().is_ok_and(|by| by.abs() < 1e-20) => {
                "3".into()
            }
            by => by,
        };
        format!("{operand} {operator} {by} {comparison} {to}")
    }

    fn json_arithmetic(&mut self) -> String {
        let number = |generator: &mut Self| {
            if generator.0.bool() {
                generator.0.i64(-3..5).to_string()
            } else {
                format!("{:?}", f64::from(generator.0.i32(-6..7)) / 4.0)
            }
        };
        let (path, operator, comparison) =
            (self.pick(&PATHS), self.pick(&["+", "-", "*", "/", "%"]), self.pick(&COMPARISONS));
        let by = match operator {
            "%" | "/" => self.pick(&["2", "3", "-2"]).to_owned(),
            _ => number(self),
        };
        format!("{path} {operator} {by} {comparison} {}", number(self))
    }

    fn like(&mut self) -> String {
        let operand = self.pick(&["s", "words[0]", "j['a']", "k", "m['a']"]);
        let pattern =
            self.pick(&["%", "a%", "%b", "_", "a_", "%b%", "a\\\\%", "a", "", "a\\\\_b\\\\\\\\", "é", "_%_"]);
        format!("{}{operand} like \"{pattern}\"", self.pick(&["", "not "]))
    }

    fn regex(&mut self) -> String {
        let operand = self.pick(&["s", "words[0]", "j['a']", "k", "m['a']"]);
        let mut source = String::from(self.pick(&["", "", "", "^", "(?i)", "(?m)", "(?s)"]));
        for _ in 0..self.0.usize(1..4) {
            if self.one_in(4) {
                source.push_str(self.pick(&["^", "$", "\\b"]));
                continue;
            }
            source.push_str(self.pick(&[
                "a",
                "b",
                ".",
                "[ab]",
                "[^a]",
                "\\w",
                "\\W",
                "\\d",
                "é",
                "(?:a|)",
                "(a|bc)",
                "(^a|b$)",
                "\\.",
                "[[:punct:]]",
                "_",
                "%",
                "'",
            ]));
            source.push_str(self.pick(&["", "", "", "*", "+", "?", "{2}", "{0,3}", "+?"]));
            source.push_str(self.pick(&["", "", "", "", "|"]));
        }
        format!("{operand} {} r\"{source}\"", self.pick(&["=~", "!~"]))
    }

    fn columns(&mut self) -> String {
        let operator = self.pick(&COMPARISONS);
        let numbers = ["i8", "i16", "i32", "f", "d", "smalls[0]", "floats[1]"];
        let (left, right) = match self.0.u32(..3) {
            0 => (self.pick(&["s", "words[0]"]), self.pick(&["s", "words[1]"])),
            1 => (self.pick(&["flag", "flags[0]"]), self.pick(&["flag", "flags[1]"])),
            _ => (self.pick(&numbers), self.pick(&numbers)),
        };
        format!("{left} {operator} {right}")
    }

    fn array(&mut self) -> String {
        let (name, element) = self.pick(&[
            ("flags", Scalar::Bool),
            ("smalls", Scalar::Int16),
            ("ints", Scalar::Int64),
            ("floats", Scalar::Float),
            ("doubles", Scalar::Double),
            ("words", Scalar::VarChar),
        ]);
        match self.0.u32(..5) {
            0 => format!("array_contains({name}, {})", self.literal(element)),
            1 => format!("array_contains_all({name}, {})", self.literals(element)),
            2 => format!("array_contains_any({name}, {})", self.literals(element)),
            3 => format!("array_length({name}) {} {}", self.pick(&COMPARISONS), self.0.i32(-1..4)),
            _ => format!("{name} {} {}", self.pick(&["==", "!="]), self.literals(element)),
        }
    }

    /// A literal for JSON, perhaps a list.
    fn json_literal(&mut self, lists: bool) -> String {
        match self.0.u32(..if lists { 6 } else { 4 }) {
            0 => self.0.bool().to_string(),
            1 => self.0.i64(-4..5).to_string(),
            2 => format!("{:?}", f64::from(self.0.i32(-8..9)) / 4.0),
            3 => json!(self.pick(&WORDS)).to_string(),
            _ => self.json_literals(false),
        }
    }

    fn json_literals(&mut self, lists: bool) -> String {
        let list: Vec<String> = (0..self.0.usize(..4)).map(|_| self.json_literal(lists)).collect();
        format!("[{}]", list.join(", "))
    }

    fn json_test(&mut self) -> String {
        let (path, operator) = (self.pick(&PATHS), self.pick(&COMPARISONS));
        match self.0.u32(..6) {
            0 => format!("{path} {}in {}", self.pick(&["", "not "]), self.json_literals(true)),
            1 => format!("{path} {} {}", self.pick(&["==", "!="]), self.json_literals(true)),
            2 => format!("-1 <= {path} < 2.5"),
            3 => format!("\"a\" < {path} <= \"b\""),
            _ => format!("{path} {operator} {}", self.json_literal(false)),
        }
    }

    fn json_contains(&mut self) -> String {
        let path = self.pick(&PATHS);
        match self.0.u32(..4) {
            0 => format!("json_contains({path}, {})", self.json_literal(true)),
            1 => format!("json_contains_all({path}, {})", self.json_literals(true)),
            2 => format!("json_contains_any({path}, {})", self.json_literals(true)),
            _ => format!("array_length({path}) {} {}", self.pick(&COMPARISONS), self.0.i32(-1..4)),
        }
    }
}
