//! What strings with escapes stand for.

/// Appends what a valid string with escapes stands for; nothing when it holds
/// half a surrogate pair.
pub(super) fn unescape(raw: &str, out: &mut String) -> Option<()> {
    let before = out.len();
    let done = try_unescape(raw, out);
    if done.is_none() {
        out.truncate(before);
    }
    done
}

fn try_unescape(mut raw: &str, out: &mut String) -> Option<()> {
    while let Some((plain, escape)) = raw.split_once('\\') {
        out.push_str(plain);
        let mut rest = escape.chars();
        let unescaped = match rest.next()? {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let (character, behind) = character(rest.as_str())?;
                rest = behind.chars();
                character
            }
            itself => itself,
        };
        out.push(unescaped);
        raw = rest.as_str();
    }
    out.push_str(raw);
    Some(())
}

/// The character of one or two UTF-16 units in hexadecimal, and what follows.
fn character(text: &str) -> Option<(char, &str)> {
    let (first, rest) = unit(text)?;
    if let Some(character) = char::from_u32(u32::from(first)) {
        return Some((character, rest));
    }
    let (second, rest) = unit(rest.strip_prefix("\\u")?)?;
    let character = char::decode_utf16([first, second]).next()?.ok()?;
    Some((character, rest))
}

fn unit(text: &str) -> Option<(u16, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    Some((u16::from_str_radix(digits, 16).ok()?, rest))
}
