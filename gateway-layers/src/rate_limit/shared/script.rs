//! What is decided on the server, so that it happens at one moment for all gateways.

use crate::rate_limit::{
    Algorithm, Limit, Ticks,
    rate::{Cell, Rate},
};

/// Decides about all limits of one request: either all keys are charged, or none.
///
/// `KEYS` are the limits' keys, `ARGV` four numbers for each (see [`Exact`]). A key holds three numbers: of a token
/// bucket the moment of its last request and how much was missing then, of a sliding window what
/// [`Window`](crate::rate_limit::Window) holds. What holds anything else counts as new. The answer is the server's
/// time in microseconds, 1 if all were charged, and what each key held before.
///
/// The server's clock is the only one that counts. All numbers are whole and below 2^53, where Lua's are exact.
pub(super) const SCRIPT: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local answer, kept = {now, 1}, {}
for i, key in ipairs(KEYS) do
  local kind, a = tonumber(ARGV[4 * i - 3]), tonumber(ARGV[4 * i - 2])
  local b, c = tonumber(ARGV[4 * i - 1]), tonumber(ARGV[4 * i])
  local text, x, y, z = redis.pcall('GET', key), 0, 0, 0
  if type(text) == 'string' then
    x, y, z = string.match(text, '^(%d+):(%d+):(%d+)$')
    x, y, z = tonumber(x) or 0, tonumber(y) or 0, tonumber(z) or 0
  end
  answer[3 * i], answer[3 * i + 1], answer[3 * i + 2] = x, y, z
  local passes, over
  if kind == 0 then
    y = math.max(y - math.max(now - x, 0) * c, 0) + a
    x, passes, over = now, y <= b, y / c
  else
    local at, rest = math.floor(now / c), a
    if at >= x then
      x, y, z = at + 2 * a, 0, 0
    elseif x - at <= a then
      rest = x - at
      x, y, z = x + a, z, 0
    else
      rest = math.min(x - at - a, a)
    end
    passes = y * rest + (z + 1) * a <= b * a
    z, over = z + 1, (x - at) * c
  end
  kept[i] = {string.format('%.0f:%.0f:%.0f', x, y, z), string.format('%.0f', math.ceil(over / 1000) + 1000)}
  if not passes then answer[2] = 0 end
end
if answer[2] == 1 then
  for i, key in ipairs(KEYS) do
    redis.call('SET', key, kept[i][1], 'PX', kept[i][2])
  end
end
return answer
";

/// A limit in numbers that are exact on the server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exact {
    rate: Rate,
    ticks: Ticks,
}

impl Exact {
    /// The finest ticks in which no number of this limit reaches 2^53; `None` if there are none.
    pub(super) fn new(limit: &Limit) -> Option<Self> {
        let fits = |ticks: &Ticks| match Rate::new(limit.algorithm, limit.quota, *ticks) {
            Rate::Bucket(refill) => refill.token < EXACT && refill.capacity < EXACT,
            // Three products of a count and a part of the period are added.
            Rate::Window(span) => {
                u128::from(span.period) * u128::from(span.requests.max(1)) < u128::from(EXACT / 4)
            }
        };
        let ticks = match limit.algorithm {
            Algorithm::TokenBucket => [1, MICROSECOND].map(|nanos| Ticks { nanos }).into_iter().find(fits),
            Algorithm::SlidingWindow => {
                (0..10).map(|power| Ticks { nanos: MICROSECOND * 10_u64.pow(power) }).find(fits)
            }
        }?;
        let rate = Rate::new(limit.algorithm, limit.quota, ticks);
        Some(Self { rate, ticks })
    }

    /// What the script has to know.
    pub(super) fn arguments(self) -> [i64; 4] {
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        match self.rate {
            Rate::Bucket(refill) => {
                [0, number(refill.token), number(refill.capacity), number(MICROSECOND / self.ticks.nanos)]
            }
            Rate::Window(span) => {
                [1, number(span.period), i64::from(span.requests), number(self.ticks.nanos / MICROSECOND)]
            }
        }
    }

    /// What a key held, and the time, in this limit's ticks.
    pub(super) fn read(self, held: [u64; 3], micros: u64) -> (Cell, u64) {
        let [x, y, z] = held;
        match self.rate {
            Rate::Bucket(_) => {
                let a_micro = MICROSECOND / self.ticks.nanos;
                let full_at = x.saturating_mul(a_micro).saturating_add(y);
                (Cell::from(crate::rate_limit::Bucket { full_at }), micros.saturating_mul(a_micro))
            }
            Rate::Window(_) => {
                let count = |count| u32::try_from(count).unwrap_or(u32::MAX);
                let window = crate::rate_limit::Window { over_at: x, previous: count(y), current: count(z) };
                (Cell::from(window), micros * MICROSECOND / self.ticks.nanos)
            }
        }
    }

    pub(super) fn rate(self) -> Rate {
        self.rate
    }

    pub(super) fn nanos(self, ticks: u64) -> u64 {
        ticks.saturating_mul(self.ticks.nanos)
    }
}

/// Above it, not every whole number is one of Lua's.
const EXACT: u64 = 1 << 53;

const MICROSECOND: u64 = 1_000;
