using System.CommandLine;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Mirror.Access;
using Mirror.Configuration;
using Mirror.Configuration.Reading;

namespace Mirror.Commands;

/// <summary><c>mirror user</c>: who can log in.</summary>
public static class UserCommand
{
    /// <summary>A check takes about a tenth of a second with this one: long to who guesses, and not to who knows.</summary>
    private const int Cost = 10;

    public static Command Create() => new("user", "Add, remove or list the users of the users file.")
    {
        CreateAdd(),
        CreateRemove(),
        CreateList(),
    };

    private static DetailedCommand CreateAdd()
    {
        var name = Name();
        name.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: (AccessRule.AnyUser or AccessRule.Nobody) and var reserved }])
            {
                result.AddError($"{Printable.Quote(reserved)} can not be a user's name: rules call so who has logged in, or has not.");
            }
        });
        var file = UsersFileOption();
        var add = new DetailedCommand(
            "add",
            "Add a user, or give one another password.",
            """
            Asks for the password; where standard input is no terminal, its first line is the password:

              printf '%s\n' "$PASSWORD" | mirror user add alice

            The users file is the one that access.users of the configuration names, or --file. It is as htpasswd -B writes
            it. A running server reads it at the next login.

            Exits with 0, 1 if the file can not be written, and 2 if there is no name or password that can be taken.
            """)
        { name, file };
        add.SetAction((invocation, _) => WithFileAsync(invocation, file, async path =>
        {
            var errors = invocation.InvocationConfiguration.Error;
            if (await PasswordPrompt.FindAsync(errors) is not { } password)
            {
                return ExitCode.Misused;
            }

            if (FindFault(password) is { } fault)
            {
                await errors.WriteLineAsync($"mirror: {fault}");
                return ExitCode.Misused;
            }

            var user = invocation.GetRequiredValue(name);
            var isNew = UsersFileEdit.Set(path, user, Bcrypt.Hash(password, Cost));
            await invocation.InvocationConfiguration.Output.WriteLineAsync(isNew ? $"{user} was added to {path}" : $"{user} has a new password in {path}");
            return ExitCode.Done;
        }));
        return add;
    }

    private static DetailedCommand CreateRemove()
    {
        var name = Name();
        var file = UsersFileOption();
        var remove = new DetailedCommand(
            "remove",
            "Remove a user.",
            """
            What the user has pushed stays. Its password and its tokens count no more from now on.

            Exits with 0, and 1 if there is no such user or the file can not be written.
            """)
        { name, file };
        remove.SetAction((invocation, _) => WithFileAsync(invocation, file, async path =>
        {
            var user = invocation.GetRequiredValue(name);
            if (UsersFileEdit.Remove(path, user))
            {
                await invocation.InvocationConfiguration.Output.WriteLineAsync($"{user} was removed from {path}");
                return ExitCode.Done;
            }

            await invocation.InvocationConfiguration.Error.WriteLineAsync($"mirror: there is no {Printable.Quote(user)} in {path}");
            return ExitCode.Failed;
        }));
        return remove;
    }

    private static DetailedCommand CreateList()
    {
        var json = StoreCommand.Json();
        var file = UsersFileOption();
        var list = new DetailedCommand(
            "list",
            "List the users.",
            """
            One name a line. Lines of the file that are no users are named on standard error.

            Exits with 0, 1 if the file can not be read, and 3 if there are such lines.
            """)
        { file, json };
        list.SetAction((invocation, _) => WithFileAsync(invocation, file, async path =>
        {
            var users = Users.Read(await File.ReadAllTextAsync(path));
            var (output, errors) = (invocation.InvocationConfiguration.Output, invocation.InvocationConfiguration.Error);
            var names = users.Hashes.Keys.Order(StringComparer.Ordinal).ToList();
            if (invocation.GetValue(json))
            {
                await output.WriteLineAsync(JsonSerializer.Serialize(names, UserJson.Default.ListString));
            }
            else
            {
                foreach (var user in names)
                {
                    await output.WriteLineAsync(Printable.Of(user));
                }
            }

            foreach (var fault in users.Faults)
            {
                await errors.WriteLineAsync($"{path}: {fault}");
            }

            return users.Faults.Count == 0 ? ExitCode.Done : ExitCode.Partly;
        }));
        return list;
    }

    private static Argument<string> Name()
    {
        var name = new Argument<string>("NAME") { Description = "The user's name: without a colon." };
        name.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: var given }] && (given.Length == 0 || given[0] == '#' || given.Contains(':') || given.Any(char.IsControl)))
            {
                result.AddError($"{Printable.Quote(given)} can not be a user's name: it is empty, begins with #, or has a colon or a control character.");
            }
        });
        return name;
    }

    private static Option<string?> UsersFileOption() => new("--file", "-f")
    {
        Description = "The users file. Without it: the one that access.users of the configuration names.",
        HelpName = "FILE",
    };

    private static string? FindFault(string password) =>
        password.Length == 0 ? "the password is empty"
        : password.Contains('\0', StringComparison.Ordinal) ? "the password has a NUL in it"
        : Encoding.UTF8.GetByteCount(password) > Bcrypt.MaxPasswordBytes ? $"the password is longer than {Bcrypt.MaxPasswordBytes} bytes: bcrypt would ignore the rest"
        : null;

    private static async Task<int> WithFileAsync(ParseResult invocation, Option<string?> file, Func<string, Task<int>> run)
    {
        var errors = invocation.InvocationConfiguration.Error;
        var path = invocation.GetValue(file);
        if (path is null)
        {
            if (GlobalOptions.FindConfiguration(invocation) is not { } loaded)
            {
                return ExitCode.Misused;
            }

            if (loaded.Configuration.Access.Users is not { } configured)
            {
                await errors.WriteLineAsync($"mirror: {loaded.Source} names no users file: write one as access.users, or say --file FILE");
                return ExitCode.Misused;
            }

            path = configured;
        }

        try
        {
            return await run(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or DecoderFallbackException or PlatformNotSupportedException)
        {
            await errors.WriteLineAsync($"mirror: {path}: {e.Message.TrimEnd('.')}");
            return ExitCode.Failed;
        }
    }
}

[JsonSerializable(typeof(List<string>))]
internal sealed partial class UserJson : JsonSerializerContext;
