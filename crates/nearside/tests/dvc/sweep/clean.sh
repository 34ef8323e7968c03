mkdir -p "$(dirname "$2")"; sort "$1" | head -n "$3" > "$2"
