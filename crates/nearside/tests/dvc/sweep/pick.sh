ls "$2" | if [ "$1" = best ]; then head -n 1; else tail -n 1; fi
