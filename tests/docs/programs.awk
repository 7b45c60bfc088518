# Writes each block of C in a page that has a main(), or a call of `what`, to
# <out>_<number>.c, and prints the names of the files.
/^```c$/ { inside = 1; text = ""; next }
/^```$/ {
    if (inside && text ~ (what ? what "\\(" : "int main\\(")) {
        file = out "_" ++count ".c"
        printf "%s", text >file
        close(file)
        print file
    }
    inside = 0
    next
}
inside { text = text $0 "\n" }
