SELECT
    if(location = 'Seattle', 'seattle', 'new-york') AS city,
    'US' AS country,
    date, weather, precipitation AS precipitation_mm, temp_max, temp_min, wind
FROM input('
    location String, date Date, precipitation Decimal(5, 1), temp_max Decimal(4, 1), temp_min Decimal(4, 1),
    wind Decimal(4, 1), weather String')
