"""Parts to study without a data set: drawn ones, and the download of MVTec AD."""
