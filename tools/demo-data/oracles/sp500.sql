SELECT date, open, high, low, close, volume, close - open AS change
FROM input('
    date Date, open Decimal(12, 6), high Decimal(12, 6), low Decimal(12, 6), close Decimal(12, 6),
    adjclose Decimal(12, 6), volume UInt64')
