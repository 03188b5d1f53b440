WITH toDate32(parseDateTime64(`Release Date`, '%b %e %Y', 'UTC')) AS dated
SELECT
    `Title` AS title,
    if(toYear(dated) >= 2012, addYears(dated, -100), dated) AS release_date,
    `US Gross` AS us_gross,
    `Worldwide Gross` AS worldwide_gross,
    `US DVD Sales` AS us_dvd_sales,
    `Production Budget` AS production_budget,
    if(`MPAA Rating` IN ('G', 'PG', 'PG-13', 'R', 'NC-17'), `MPAA Rating`, NULL) AS mpaa_rating,
    `Running Time min` AS running_time_min,
    `Distributor` AS distributor,
    `Source` AS source_material,
    `Major Genre` AS major_genre,
    `Creative Type` AS creative_type,
    `Director` AS director,
    `Rotten Tomatoes Rating` AS rotten_tomatoes_rating,
    `IMDB Rating` AS imdb_rating,
    `IMDB Votes` AS imdb_votes
FROM input('
    `Title` Nullable(String), `US Gross` Nullable(UInt32), `Worldwide Gross` Nullable(UInt64),
    `US DVD Sales` Nullable(UInt32), `Production Budget` Nullable(UInt32), `Release Date` String,
    `MPAA Rating` Nullable(String), `Running Time min` Nullable(UInt16), `Distributor` Nullable(String),
    `Source` Nullable(String), `Major Genre` Nullable(String), `Creative Type` Nullable(String),
    `Director` Nullable(String), `Rotten Tomatoes Rating` Nullable(UInt8),
    `IMDB Rating` Nullable(Decimal(3, 1)), `IMDB Votes` Nullable(UInt32)')
