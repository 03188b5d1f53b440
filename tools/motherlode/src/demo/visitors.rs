//! Visitors of a shop: what each does follows from its number alone, so that what the
//! funnel must say is known without asking it.

use chrono::{DateTime, Duration, SecondsFormat, Utc};
use serde_json::{Value, json};

/// The steps of the funnel.
pub const STEPS: [&str; 4] =
    ["Product Viewed", "Product Added", "Checkout Started", "Order Completed"];

/// Browsers that visitors have.
const AGENTS: [&str; 4] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
];

const PAGES: [&str; 5] = ["/", "/sale", "/products", "/search", "/about"];

/// A visitor.
#[derive(Debug, Clone, Copy)]
pub struct Visitor {
    number: u64,
    /// What is random of it, and always the same.
    chance: u64,
}

impl Visitor {
    /// The visitor of that number.
    pub fn new(number: u64) -> Self {
        // SplitMix64 (Steele, Lea, Flood 2014): any two numbers differ in about half
        // of the bits.
        let mut mixed = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Self { number, chance: mixed ^ (mixed >> 31) }
    }

    /// How many steps of the funnel it takes: of a thousand visitors 700 look at a
    /// product, and 80 buy one.
    pub fn depth(self) -> usize {
        match self.chance % 1000 {
            0..80 => 4,
            80..160 => 3,
            160..320 => 2,
            320..700 => 1,
            _ => 0,
        }
    }

    /// What its browser calls itself.
    pub fn agent(self) -> &'static str {
        AGENTS[usize::try_from((self.chance >> 16) % 4).unwrap_or(0)]
    }

    /// How many pages it sees before it takes the first step.
    fn pages(self) -> u64 {
        1 + (self.chance >> 24) % 4
    }

    /// How many events it makes.
    pub fn events(self) -> u64 {
        self.pages() + self.depth() as u64
    }

    /// The body of the request that its browser sends when it leaves.
    pub fn batch(self, now: DateTime<Utc>) -> Value {
        let product = format!("p-{}", (self.chance >> 32) % 500);
        let pages = self.pages();
        let event = |at: u64, kind: &str, name: Option<&str>, path: String, properties: Value| {
            let seconds = i64::try_from((self.events() - at) * 20).unwrap_or(0);
            let time = now - Duration::seconds(seconds);
            let mut event = json!({
                "type": kind,
                "messageId": format!("demo-{}-{at}", self.number),
                "anonymousId": format!("visitor-{}", self.number),
                "timestamp": time.to_rfc3339_opts(SecondsFormat::Millis, true),
                "context": {
                    "sessionId": format!("session-{}", self.number),
                    "page": {"path": path, "url": format!("https://shop.example.com{path}"), "title": "Shop"},
                    "campaign": {"name": "autumn", "source": "newsletter", "medium": "email"},
                    "locale": "de-DE", "timezone": "Europe/Berlin",
                    "library": {"name": "pixel.js", "version": "1"},
                },
                "properties": properties,
            });
            if let Some(name) = name {
                event["event"] = name.into();
            }
            event
        };
        let looks = (0..pages).map(|at| {
            let path = PAGES[usize::try_from((self.chance >> (8 * at)) % 5).unwrap_or(0)];
            event(at, "page", None, path.to_owned(), json!({}))
        });
        let steps = STEPS.iter().take(self.depth()).zip(pages..).map(|(name, at)| {
            let price = 5 + (self.chance >> 40) % 95;
            let properties = json!({
                "product_id": product, "price": price, "currency": "EUR", "quantity": 1, "order_id": format!("o-{}", self.number),
            });
            event(at, "track", Some(name), format!("/products/{product}"), properties)
        });
        json!({
            "batch": looks.chain(steps).collect::<Vec<_>>(),
            "sentAt": now.to_rfc3339_opts(SecondsFormat::Millis, true),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visitor_always_does_the_same() {
        let now = DateTime::from_timestamp(1_795_363_200, 0).unwrap();
        for number in 0..200 {
            let visitor = Visitor::new(number);
            let batch = visitor.batch(now);
            assert_eq!(batch, Visitor::new(number).batch(now));
            let events = batch["batch"].as_array().unwrap();
            assert_eq!(events.len() as u64, visitor.events());
            let names: Vec<_> = events.iter().filter_map(|event| event["event"].as_str()).collect();
            assert_eq!(names, STEPS[..visitor.depth()]);
        }
        let buyers = (0..10_000).filter(|number| Visitor::new(*number).depth() == 4).count();
        assert!((700..900).contains(&buyers), "{buyers} of 10,000 buy");
    }
}
