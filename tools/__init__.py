"What renders and checks the course, and no tool that we use does; not installed with the library"
