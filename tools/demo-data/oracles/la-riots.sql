SELECT
    leftUTF8(trimBoth(first_name), 1) || repeat('*', lengthUTF8(trimBoth(first_name)) - 1) AS first_name,
    lower(hex(SHA256('la-riots-1992' || trimBoth(last_name)))) AS last_name,
    age, gender, race, death_date,
    trimBoth(neighborhood) AS neighborhood,
    type AS circumstances,
    longitude, latitude
FROM input('
    first_name String, last_name String, age Nullable(UInt8), gender String, race String, death_date Date,
    address String, neighborhood String, type String, longitude Float64, latitude Float64')
