SELECT symbol, toDate(parseDateTime(date, '%b %e %Y', 'UTC')) AS date, price
FROM input('symbol String, date String, price Decimal(9, 2)')
