//! Patterns of LIKE: `%` is any run of characters, `_` one character, and a backslash takes the meaning from the character behind it.

/// A part of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Run,
    One,
    Character(char),
}

/// A pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern(Vec<Part>);

impl Pattern {
    /// A backslash at the end, for which PostgreSQL raises an error when a row gets there, stands for itself.
    pub(crate) fn new(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            parts.push(match character {
                '%' => Part::Run,
                '_' => Part::One,
                '\\' => Part::Character(characters.next().unwrap_or('\\')),
                other => Part::Character(other),
            });
        }
        Self(parts)
    }

    /// The pattern for PostgreSQL's LIKE, whose escape is the backslash too.
    pub(crate) fn sql(&self) -> String {
        let mut text = String::with_capacity(self.0.len());
        for part in &self.0 {
            match part {
                Part::Run => text.push('%'),
                Part::One => text.push('_'),
                Part::Character(character) => {
                    if matches!(character, '%' | '_' | '\\') {
                        text.push('\\');
                    }
                    text.push(*character);
                }
            }
        }
        text
    }

    /// Whether the whole text is as the pattern says.
    #[cfg(feature = "testing")]
    pub(crate) fn matches(&self, text: &str) -> bool {
        // `reached[i]`: the parts before i match the characters so far.
        let mut reached = vec![false; self.0.len() + 1];
        reached[0] = true;
        let close = |reached: &mut Vec<bool>| {
            for (i, part) in self.0.iter().enumerate() {
                reached[i + 1] |= reached[i] && *part == Part::Run;
            }
        };
        close(&mut reached);
        for character in text.chars() {
            for (i, part) in self.0.iter().enumerate().rev() {
                // A run stays where it is, after itself.
                let stays = reached[i + 1] && *part == Part::Run;
                reached[i + 1] =
                    stays || reached[i] && (*part == Part::One || *part == Part::Character(character));
            }
            reached[0] = false;
            close(&mut reached);
        }
        reached[self.0.len()]
    }
}
