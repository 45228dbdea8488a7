//! Names in plain letters: full-width, mathematical, Cyrillic, Greek and accented letters that look like
//! Latin ones are these, marks and invisible characters are nothing.
//!
//! A producer may write a name as it likes, and nothing else of this program reads it so. Only what looks
//! like an ASCII character is changed; every other letter stays and makes the name another one.

/// What looks like the character at the same place of the second text.
const ALIKE: [(&str, &str); 9] = [
    // Cyrillic
    (
        "\u{430}\u{432}\u{441}\u{501}\u{435}\u{451}\u{493}\u{4bb}\u{456}\u{457}\u{458}\u{43a}\u{4cf}\u{43c}\u{43f}\u{43e}\u{440}\u{51b}\u{433}\u{455}\u{442}\u{446}\u{475}\u{51d}\u{445}\u{443}\u{4af}\u{43d}\u{44c}",
        "abcdeefhiijklmnopqrstuvwxyyhb",
    ),
    (
        "\u{410}\u{412}\u{421}\u{415}\u{401}\u{41d}\u{406}\u{407}\u{408}\u{41a}\u{4c0}\u{41c}\u{41e}\u{420}\u{405}\u{422}\u{474}\u{51c}\u{425}\u{423}\u{4ae}\u{50c}",
        "abceehiijklmopstvwxyyg",
    ),
    // Greek
    (
        "\u{3b1}\u{3b2}\u{3f2}\u{3b5}\u{3ad}\u{3ac}\u{3b7}\u{3ae}\u{3b9}\u{3af}\u{3f3}\u{3ba}\u{3bc}\u{3bf}\u{3cc}\u{3c1}\u{3c3}\u{3c2}\u{3c4}\u{3c5}\u{3cd}\u{3bd}\u{3c9}\u{3ce}\u{3c7}\u{3b3}",
        "abceeanniijkuoopostuuvwwxy",
    ),
    (
        "\u{391}\u{392}\u{3f9}\u{395}\u{397}\u{399}\u{37f}\u{39a}\u{39c}\u{39d}\u{39f}\u{3a1}\u{3a4}\u{3a5}\u{3a7}\u{396}",
        "abcehijkmnoptyxz",
    ),
    // Small capitals, and letters of their own that look like one of ASCII
    (
        "\u{1d00}\u{299}\u{1d04}\u{1d05}\u{1d07}\u{a730}\u{262}\u{29c}\u{26a}\u{131}\u{1d0a}\u{1d0b}\u{29f}\u{1d0d}\u{274}\u{1d0f}\u{1d18}\u{280}\u{a731}\u{1d1b}\u{1d1c}\u{1d20}\u{1d21}\u{28f}\u{1d22}\u{251}\u{261}\u{269}\u{17f}\u{237}",
        "abcdefghiijklmnoprstuvwyzagisj",
    ),
    // Letter-like symbols
    (
        "\u{2102}\u{212d}\u{2145}\u{2146}\u{212f}\u{2147}\u{2130}\u{2131}\u{210a}\u{210b}\u{210c}\u{210d}\u{210e}\u{2110}\u{2111}\u{2139}\u{2148}\u{2149}\u{212a}\u{2112}\u{2113}\u{2133}\u{2115}\u{2134}\u{2119}\u{211a}\u{211b}\u{211c}\u{211d}\u{2124}\u{2128}\u{2170}\u{2174}\u{2179}",
        "ccddeeefghhhhiiiijkllmnopqrrrzzivx",
    ),
    // Latin letters with marks
    (
        "\u{e0}\u{e1}\u{e2}\u{e3}\u{e4}\u{e5}\u{101}\u{e7}\u{107}\u{10d}\u{111}\u{e8}\u{e9}\u{ea}\u{eb}\u{113}\u{119}\u{11b}\u{11f}\u{ec}\u{ed}\u{ee}\u{ef}\u{12b}\u{142}\u{f1}\u{144}\u{f2}\u{f3}\u{f4}\u{f5}\u{f6}\u{f8}\u{14d}\u{159}\u{15b}\u{15f}\u{161}\u{165}\u{f9}\u{fa}\u{fb}\u{fc}\u{16b}\u{175}\u{fd}\u{ff}\u{17a}\u{17c}\u{17e}",
        "aaaaaaacccdeeeeeeegiiiiilnnooooooorssstuuuuuwyyzzz",
    ),
    (
        "\u{c0}\u{c1}\u{c2}\u{c3}\u{c4}\u{c5}\u{c7}\u{10c}\u{c8}\u{c9}\u{ca}\u{cb}\u{cc}\u{cd}\u{ce}\u{cf}\u{d1}\u{d2}\u{d3}\u{d4}\u{d5}\u{d6}\u{d8}\u{160}\u{d9}\u{da}\u{db}\u{dc}\u{dd}\u{17d}\u{130}",
        "aaaaaacceeeeiiiinoooooosuuuuyzi",
    ),
    // Separators
    (
        "\u{2010}\u{2011}\u{2012}\u{2013}\u{2014}\u{2015}\u{2212}\u{203f}\u{2024}\u{a0}\u{2009}\u{202f}\u{3000}\u{2215}\u{2044}\u{a789}\u{2236}\u{fe50}\u{fe55}",
        "-------_.    //::.:",
    ),
];

/// First and last of a run of alphabets, each of them 26 letters.
const ALPHABETS: [(char, char); 4] = [
    ('\u{1d400}', '\u{1d6a3}'),
    ('\u{24b6}', '\u{24e9}'),
    ('\u{249c}', '\u{24b5}'),
    ('\u{1f130}', '\u{1f149}'),
];

/// The name with every character that looks like one of ASCII as that one.
pub(super) fn latin(name: &str) -> String {
    name.chars()
        .filter(|character| !is_nothing(*character))
        .map(plain)
        .collect()
}

fn plain(character: char) -> char {
    match character {
        _ if character.is_ascii() => character,
        // Full-width forms are ASCII at another place.
        '\u{ff01}'..='\u{ff5e}' => shifted(character, '\u{ff01}', '!', u32::MAX),
        _ => in_alphabet(character)
            .or_else(|| alike(character))
            .unwrap_or(character),
    }
}

fn in_alphabet(character: char) -> Option<char> {
    let (first, _) = ALPHABETS
        .iter()
        .find(|(first, last)| (*first..=*last).contains(&character))?;
    Some(shifted(character, *first, 'a', 26))
}

/// The character as far behind `to` as it is behind `from`, counted modulo the length of an alphabet.
fn shifted(character: char, from: char, to: char, modulo: u32) -> char {
    let place = u32::from(character).saturating_sub(u32::from(from)) % modulo;
    char::from_u32(u32::from(to) + place).unwrap_or(character)
}

fn alike(character: char) -> Option<char> {
    let pairs = ALIKE
        .iter()
        .flat_map(|(from, to)| from.chars().zip(to.chars()));
    pairs
        .into_iter()
        .find(|(from, _)| *from == character)
        .map(|(_, to)| to)
}

/// Marks that combine with the letter before, and what has no width.
fn is_nothing(character: char) -> bool {
    matches!(
        character,
        '\u{300}'..='\u{36f}'
            | '\u{483}'..='\u{489}'
            | '\u{20d0}'..='\u{20f0}'
            | '\u{ad}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_letter_has_its_own_that_it_looks_like() {
        for (from, to) in ALIKE {
            assert_eq!(from.chars().count(), to.chars().count(), "{from} {to}");
        }
    }

    #[test]
    fn names_are_read_as_they_look() {
        for (written, read) in [
            (
                "\u{ff50}\u{ff41}\u{ff53}\u{ff53}\u{ff57}\u{ff4f}\u{ff52}\u{ff44}",
                "password",
            ),
            ("\u{440}\u{430}\u{455}\u{455}word", "password"),
            ("p\u{3b1}ssw\u{3bf}rd", "password"),
            ("\u{1d429}\u{1d41a}\u{1d42c}\u{1d42c}word", "password"),
            ("pass\u{200b}w\u{f6}rd\u{301}", "password"),
            ("api\u{2011}key\u{ff1a}", "api-key:"),
            ("\u{24d0}uth", "auth"),
            ("gr\u{f6}\u{df}e", "gro\u{df}e"),
        ] {
            assert_eq!(latin(written), read);
        }
    }
}
