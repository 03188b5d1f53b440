SELECT
    transform(`Entity`, ['Mass movement (dry)', 'Extreme temperature'], ['Landslide', 'Heat or cold']) AS kind,
    `Year` AS year,
    `Deaths` AS deaths
FROM input('`Entity` String, `Year` UInt16, `Deaths` UInt32')
WHERE `Entity` != 'All natural disasters'
