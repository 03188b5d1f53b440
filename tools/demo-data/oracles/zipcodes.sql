SELECT zip_code, city, county, state, latitude, longitude
FROM input('zip_code String, latitude Float64, longitude Float64, city String, state String, county String')
