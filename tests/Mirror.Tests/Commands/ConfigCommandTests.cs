using System.CommandLine;
using Mirror.Commands;
using Mirror.Configuration;

namespace Mirror.Tests.Commands;

public sealed class ConfigCommandTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("mirror-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task A_right_file_is_ok_and_exits_with_0()
    {
        var file = Write("registries: { docker.io: { default: true } }");

        Assert.Equal((0, $"{file}: ok\n", ""), await RunAsync("config", "check", "-c", file));
        Assert.Equal((0, $"{file}: ok\n", ""), await RunAsync("--config", file, "config", "check"));
    }

    [Fact]
    public async Task A_wrong_file_has_its_faults_on_standard_error_one_per_line_and_exits_with_2()
    {
        var file = Write("server: { lisen: x }\nstorage: x");
        var faults = $"{file}:1:11: server.lisen: unknown key; did you mean 'listen'?\n"
            + $"{file}:2:10: storage: this is not a mapping: write 'key: value' lines, indented\n";

        Assert.Equal((2, "", faults), await RunAsync("config", "check", "-c", file));
        Assert.Equal((2, "", faults), await RunAsync("config", "show", "-c", file));
    }

    [Theory]
    [InlineData("/nowhere/mirror.yml", "/nowhere/mirror.yml: does not exist\n")]
    [InlineData("/", "/: is a directory, or may not be read\n")]
    [InlineData("", "--config: names no file\n")]
    public async Task A_file_that_was_asked_for_and_is_not_there_is_a_fault(string file, string fault) =>
        Assert.Equal((2, "", fault), await RunAsync("config", "check", "-c", file));

    [Fact]
    public async Task A_file_that_is_no_text_or_too_large_is_a_fault()
    {
        var file = Write(string.Empty);
        await File.WriteAllBytesAsync(file, [0xff, 0xfe, 0x61, 0]);
        Assert.Equal((2, "", $"{file}: is not UTF-8 text\n"), await RunAsync("config", "check", "-c", file));

        Write(new string('#', 1024 * 1024 + 1));
        Assert.Equal((2, "", $"{file}: is larger than 1048576 bytes\n"), await RunAsync("config", "check", "-c", file));
    }

    [Theory]
    [InlineData]
    [InlineData("config")]
    [InlineData("config", "chekc")]
    [InlineData("config", "check", "--nope")]
    [InlineData("config", "check", "-c")]
    public async Task Wrong_usage_exits_with_2(params string[] arguments) => Assert.Equal(2, (await RunAsync(arguments)).Code);

    [Theory]
    [InlineData("--help")]
    [InlineData("config", "check", "--help")]
    [InlineData("config", "schema")]
    public async Task What_is_printed_on_demand_exits_with_0(params string[] arguments)
    {
        var (code, output, error) = await RunAsync(arguments);

        Assert.Equal((0, ""), (code, error));
        Assert.NotEmpty(output);
    }

    [Fact]
    public void A_file_is_looked_for_here_then_in_the_system_then_not_at_all()
    {
        var system = Path.Combine(_folder.FullName, "system.yml");
        Assert.Null(ConfigurationFile.Find(null, _folder.FullName, system));

        File.WriteAllText(system, string.Empty);
        Assert.Equal(system, ConfigurationFile.Find(null, _folder.FullName, system));

        Write(string.Empty);
        Assert.Equal("mirror.yml", ConfigurationFile.Find(null, _folder.FullName, system));
        Assert.Equal("other.yml", ConfigurationFile.Find("other.yml", _folder.FullName, system));
    }

    [Fact]
    public void Relative_paths_start_at_the_files_own_folder()
    {
        Directory.CreateDirectory(Path.Combine(_folder.FullName, "etc"));
        File.WriteAllText(Path.Combine(_folder.FullName, "etc/other.yml"), "storage: { path: data }");

        var answer = ConfigurationFile.Load("etc/other.yml", _folder.FullName, new Dictionary<string, string>());

        var loaded = Assert.IsType<ConfigurationAnswer.Loaded>(answer);
        Assert.Equal(Path.Combine(_folder.FullName, "etc/data"), loaded.Configuration.Storage.Path);
        Assert.Equal("etc/other.yml", loaded.Source);
    }

    [Fact]
    public async Task A_translation_is_printed_or_written_to_a_new_file_that_only_its_owner_reads()
    {
        var there = Path.Combine(_folder.FullName, "config.yml");
        var here = Path.Combine(_folder.FullName, "mirror.yml");
        await File.WriteAllTextAsync(there, "proxy: { remoteurl: 'https://ghcr.io', username: me, password: secret }\nnotifications: { x: 1 }\n");
        var lost = $"{there}:2:21: notifications.x: nobody is notified of pushes and pulls\n";

        var printed = await RunAsync("config", "adopt", there);
        var written = await RunAsync("config", "adopt", there, "-o", here);
        var again = await RunAsync("config", "adopt", there, "-o", here);

        Assert.Equal((3, lost), (printed.Code, printed.Error));
        Assert.Contains("password: secret\n", printed.Output, StringComparison.Ordinal);
        Assert.Equal((3, "", lost), written);
        Assert.Equal(printed.Output, await File.ReadAllTextAsync(here));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(here));
        Assert.Equal((1, ""), (again.Code, again.Output));
        Assert.Equal(0, (await RunAsync("config", "check", "-c", here)).Code);
    }

    [Theory]
    [InlineData("a: [", ":2:")]
    [InlineData("a: !tag b", ":1:")]
    public async Task What_is_no_configuration_is_not_translated(string text, string place)
    {
        var there = Path.Combine(_folder.FullName, "config.yml");
        await File.WriteAllTextAsync(there, text);

        var (code, output, error) = await RunAsync("config", "adopt", there);

        Assert.Equal((2, ""), (code, output));
        Assert.StartsWith(there + place, error, StringComparison.Ordinal);
        Assert.Equal((2, "", "nowhere.yml: does not exist\n"), await RunAsync("config", "adopt", "nowhere.yml"));
    }

    private static async Task<(int Code, string Output, string Error)> RunAsync(params string[] arguments)
    {
        await using var output = new StringWriter();
        await using var error = new StringWriter();
        var streams = new InvocationConfiguration { Output = output, Error = error };
        var code = await CommandLine.RunAsync([ConfigCommand.Create()], arguments, streams);
        return (code, output.ToString(), error.ToString());
    }

    private string Write(string yaml)
    {
        var file = Path.Combine(_folder.FullName, "mirror.yml");
        File.WriteAllText(file, yaml);
        return file;
    }
}
