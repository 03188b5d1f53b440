SELECT iata, name, nullIf(city, 'NA') AS city, nullIf(state, 'NA') AS state, country, latitude, longitude
FROM input('iata String, name String, city String, state String, country String, latitude Float64, longitude Float64')
