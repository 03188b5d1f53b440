SELECT
    `Flight Date` AS flight_date,
    `Airport Name` AS airport,
    `Origin State` AS state,
    trimRight(`Aircraft Airline Operator`, '*') AS operator,
    `Aircraft Make Model` AS aircraft,
    `Phase of flight` AS phase,
    `Wildlife Species` AS species,
    `Wildlife Size` AS size,
    `Effect Amount of damage` AS damage,
    `Time of day` AS time_of_day,
    `Speed IAS in knots` AS speed_knots,
    `Cost Other` AS cost_other,
    `Cost Repair` AS cost_repair,
    `Cost Total $` AS cost_total
FROM input('
    `Airport Name` String, `Aircraft Make Model` String, `Effect Amount of damage` String, `Flight Date` Date,
    `Aircraft Airline Operator` String, `Origin State` String, `Phase of flight` String, `Wildlife Size` String,
    `Wildlife Species` String, `Time of day` String, `Cost Other` UInt32, `Cost Repair` UInt32,
    `Cost Total $` UInt32, `Speed IAS in knots` Nullable(UInt16)')
WHERE damage NOT IN ('B', 'C')
