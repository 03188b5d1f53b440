SELECT id AS county_id, rate
FROM input('id UInt32, rate Decimal(4, 3)')
