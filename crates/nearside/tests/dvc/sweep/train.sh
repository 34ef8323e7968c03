cat work/us.csv work/eu.csv; echo "$1 $2"
