// The `flywheel` command.
process.stdout.write("flywheel 0.1.0\n");
