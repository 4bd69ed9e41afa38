/**
 * The Perl program that does in a sandbox what rsync does not (Perl is part of every Debian). What it works on comes as
 * standard input, NUL behind each: the verb, then its words. No shell ever sees them. It runs in the folder that is
 * synced, as the user whose folder that is. It has no single quote, so that the remote shell takes it as one word.
 */
export const guestScript = `
use strict; use warnings;
my @in = do { local $/ = "\\0"; map { chomp; $_ } <STDIN> };
my $verb = shift @in; my $own = ".berth";
binmode STDOUT;
sub folder { my ($d) = @_; return 1 if $d eq ""; lstat($d); return 1 if -d _; return 0 if -e _ || -l $d;
  (my $up = $d) =~ s{(^|/)[^/]+\\z}{}; return folder($up) && mkdir($d); }
sub parent { my ($p) = @_; return $p =~ m{^(.*)/[^/]+\\z}s ? $1 : ""; }
sub plain { my ($d) = @_; return 1 if $d eq ""; lstat($d); return (-d _) && plain(parent($d)); }
sub entries { my ($d) = @_; opendir(my $h, $d) or return (); my @e = grep { $_ ne "." && $_ ne ".." } readdir $h; return @e; }
sub drop { my ($p) = @_; lstat($p); if (-d _) { chmod 0700, $p; drop("$p/$_") for entries($p); rmdir $p; } else { unlink $p; } }
sub each_file { my ($d, $at, $do) = @_; for my $e (sort { $a cmp $b } entries($at eq "" ? $d : "$d/$at")) {
  my $p = $at eq "" ? $e : "$at/$e"; lstat("$d/$p"); if (-d _) { each_file($d, $p, $do) or return 0; } else { $do->($p, -s _) or return 0; } } return 1; }
sub hide { my ($d) = @_; folder($d); return if -e "$d/.gitignore"; if (open(my $h, ">", "$d/.gitignore")) { print $h "*\\n"; close $h; } }
sub aside { my ($b, $p) = @_; lstat($p); return 0 if !(-e _ || -l $p) || -d _; return 0 unless plain(parent($p));
  my $to = "$own/backups/$b/$p"; hide("$own/backups"); folder(parent($to)) or return 0; return rename($p, $to); }
sub leftovers { my $mark = "$own/sync/unfinished"; lstat($mark); return () unless -f _; local $/ = "\\0"; my @left;
  open(my $h, "-|", "find", ".", "-path", "./$own", "-prune", "-o", "-type", "f", "-name", ".*.??????",
    "-cnewer", $mark, "-printf", "%m\\\\0%P\\\\0") or die "find: $!\\n";
  while (defined(my $mode = <$h>)) { my $p = <$h>; chomp($mode, $p); next unless $p =~ m{(?:^|/)\\.[^/]*\\.[A-Za-z0-9]{6}\\z};
    push @left, $p if (oct($mode) & 07277) == 0200 || substr($p, -6) =~ m{[A-Z0-9]}; }
  close $h; return @left; }
sub backups { for my $b (entries("$own/backups")) { lstat("$own/backups/$b"); next unless -d _; my ($n, $s) = (0, 0);
  each_file("$own/backups/$b", "", sub { $n++; $s += $_[1] || 0; 1 }); print "$b\\0$n\\0$s\\0"; } }
if ($verb eq "prepare") { my ($b) = @in; for (leftovers()) { print "$_\\0" if aside($b, $_); }
  drop("$own/sync"); hide("$own/sync"); hide("$own/backups");
  open(my $h, ">", "$own/sync/unfinished") or die "cannot write: $!\\n"; close $h or die "cannot write: $!\\n"; }
elsif ($verb eq "leftovers") { print "$_\\0" for leftovers(); }
elsif ($verb eq "aside") { my $b = shift @in; for (@in) { print "$_\\0" if aside($b, $_); } }
elsif ($verb eq "rmdir") { rmdir $_ for @in; }
elsif ($verb eq "rename") { while (@in) { my ($f, $t) = splice(@in, 0, 2); lstat($t); next if -e _ || -l $t;
  print "$f\\0" if plain(parent($f)) && plain(parent($t)) && rename($f, $t); } }
elsif ($verb eq "tidy") { drop("$own/sync"); backups(); }
elsif ($verb eq "backups") { backups(); }
elsif ($verb eq "forget") { drop("$own/backups/$_") for @in; }
elsif ($verb eq "paths") { my ($b, $max) = @in; each_file("$own/backups/$b", "", sub { print "$_[0]\\0"; --$max > 0 }); }
elsif ($verb eq "restore") { my ($b, $p, $a) = @in; my $from = "$own/backups/$b/$p"; lstat($from); exit 3 unless -f _;
  my ($mode, $mtime) = ((lstat _)[2] & 0777, (lstat _)[9]); hide("$own/sync"); my $draft = "$own/sync/restored"; unlink $draft;
  open(my $i, "<", $from) or die "$!\\n"; open(my $o, ">", $draft) or die "$!\\n"; binmode $i; binmode $o;
  my $chunk; while (read($i, $chunk, 1 << 20)) { print $o $chunk or die "$!\\n"; } close $o or die "$!\\n";
  chmod $mode, $draft; utime $mtime, $mtime, $draft; folder(parent($p)); aside($a, $p); rename($draft, $p) or die "$!\\n"; print "done\\0"; }
else { die "no such verb\\n"; }
`;
